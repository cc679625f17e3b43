"""Keys and certificates: creating and reading them.

Belongs here: pure functions over PEM text. Belongs elsewhere: keeping keys (`dynamic`), tokens (`identity`), sealing
documents (`seeds`).

May import: nothing of this project.
"""
