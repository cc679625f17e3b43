"""Rotate the secrets of a running country: where new values come from, which servers take them, and the order.

A credential's server is a `Target` of `targets`; the sequence with its rollback is `rotation`; `sources` reads new
values. The Pulumi update that follows, and what the operator sees, belong to `cli`.

May import: everything below.
"""
