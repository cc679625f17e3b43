"""Everything around one Pulumi stack: run the `pulumi` CLI, read its state, hold its locks, recover from killed runs.

A module belongs here if it needs the stack's state, configuration or backend. What is wrong with a country belongs to
`diagnosis`, new secrets to `rotation`, removal to `teardown`; printing and exit codes belong to `cli`.

May import: everything below.
"""
