"""How countries form a coalition without sharing a secret: signed requests, coalition document and status.

Belongs here: the formats of these files, who signs what, each reason to refuse one, where the files are, and the place
of a country that follows from them. Belongs elsewhere: creating keys in a stack file (`automation`), issuing the
document and noting the last one that was accepted (`dynamic`), deciding whom the hub approves (`config`).

May import: `identity`, `process`, `config`, `crypto`, `results`.
"""
