"""Connections to a country's servers: TLS with the CA checked, and one way to wait. One module for each server.

Belongs here: the options of a client. Belongs elsewhere: what is asked, and what a failure means there (`checks`,
`seeds`, `rotation`, `orchestration`). Services have clients of their own in their images.

May import: nothing of this project.
"""
