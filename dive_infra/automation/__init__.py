"""Everything around one Pulumi stack: run the `pulumi` CLI, read its state, hold its locks, recover from killed runs.

A module belongs here if it needs the stack's state, configuration or backend. What is wrong with a country belongs to
`diagnosis`, new secrets to `rotation`, removal to `teardown`; printing and exit codes belong to `cli`. Modules may
import `checks`, `plans`, `orchestration`, `seeds`, `images`, `engines`, `toolchain` and what lies below those. None
imports the Pulumi SDK.
"""
