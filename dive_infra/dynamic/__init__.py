"""Our own Pulumi resources: one module each, a `Provider` that acts and a `Resource` that declares.

Module and class names of providers are an interface: states hold them (`config.providers`). Belongs here: the life
cycle of a resource. Belongs elsewhere: how a server is asked or changed (`engines`, `identity`, `seeds`,
`orchestration`).

May import: everything below. None of that imports Pulumi.
"""
