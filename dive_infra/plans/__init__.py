"""What a preview found, as data and as a comment for a pull request.

Belongs here: reading Pulumi's events and our providers' messages. Belongs elsewhere: running a preview
(`automation.preview_run`).

May import: `orchestration`, `config`, `results`.
"""
