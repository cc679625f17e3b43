"""The Docker engine behind the interface `engines.engine`.

Belongs here: everything that is said in Docker's terms. Belongs elsewhere: building and pulling images (`images`).
May import: what `engines` may, and Docker's client library.
"""
