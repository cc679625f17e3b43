"""Behaviour of a whole process: garbage collection, the cache of probes, crash points, the channel for a lock refusal.

Belongs here: what needs neither Pulumi nor a server. Belongs elsewhere: the preparation of the provider process and
changes to the SDK (`dynamic.runtime`).

May import: `config`, `results`.
"""
