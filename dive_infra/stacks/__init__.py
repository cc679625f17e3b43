"""The program of a stack: which phases it declares, its outputs, and the guard against a destroy.

Belongs here: the order of the phases. Belongs elsewhere: what a phase declares (`phases`).

May import: everything below.
"""
