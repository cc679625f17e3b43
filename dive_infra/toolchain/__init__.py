"""Pulumi, its plugins, and the programs that images are built from: found, downloaded or built.

Belongs here: getting programs onto this machine. Belongs elsewhere: Go modules (top-level `toolchain/`), running Pulumi
(`automation`).

May import: `config`, `results`.
"""
