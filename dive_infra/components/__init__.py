"""Components: resources that are declared together, such as a service, a realm or a federation link.

Belongs here: what several phases or countries declare in the same way. Belongs elsewhere: tables of what is declared
(`catalog`, `identity`).

May import: everything below, and Pulumi's provider packages.
"""
