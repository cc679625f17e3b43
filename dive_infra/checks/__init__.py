"""The validators of the phases: one module for each phase and each server, and the runner of checks side by side.

Here belongs a check that decides whether a phase is complete, and `spec`, its input. What goes beyond a deployment,
such as the state or the plugins of Pulumi, belongs in `diagnosis`. A check reads and never changes anything.

May import: `orchestration`, `seeds`, `engines`, `catalog`, `membership`, `identity`, `process`, `config`, `clients`,
`crypto`, `results`.
"""
