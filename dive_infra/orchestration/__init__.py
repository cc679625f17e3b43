"""The record of deployments: the database of a country with its states, checkpoints and lock.

Here belong its schema and migrations, the country lock with its fence, and the state machine. What a deployment writes
and when it writes it belongs in `dynamic`; how the record is judged belongs in `diagnosis`.

May import: `membership`, `process`, `config`, `clients`, `results`.
"""
