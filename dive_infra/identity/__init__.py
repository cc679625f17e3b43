"""Realms, users and links in Keycloak: the tables, the admin client, the comparison, and logins as a person does them.

Belongs here: what a realm must contain and how to read it. Belongs elsewhere: declaring realm objects (`components`),
deciding what a difference means (`checks`).

May import: `process`, `config`, `results`.
"""
