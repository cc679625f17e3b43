"""A coalition for tests: deploy it, look at it, copy the checkout. Faults, integration tests and the benchmark use it.

May import `tests.support`; knows no fault and no test.
"""
