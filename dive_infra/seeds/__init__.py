"""Seed data: what it is (`batches`), how documents are sealed (`sealing`), how it is loaded and checked (`loader`).

Belongs here: documents and the reference data that policies work with. Belongs elsewhere: people (`identity`), and what
a check makes of the outcome (`checks`).

May import: `catalog`, `process`, `config`, `clients`, `results`.
"""
