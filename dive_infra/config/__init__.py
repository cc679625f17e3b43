"""What a country is: its settings, names and ports, secrets; and the facts that many modules share.

Belongs here: tables and pure functions that need no running system: countries, credentials, paths, environment
variables, timeouts. Belongs elsewhere: a value that one module alone needs, and anything that asks a server.

May import: `crypto`, `results`.
"""
