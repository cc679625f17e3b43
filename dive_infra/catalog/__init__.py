"""The services of a country as data (`spec.ServiceSpec`), and the databases they use.

Belongs here: image, files, environment, health check, limits and needs of each service. Belongs elsewhere: how an
engine runs it (`engines`, `components`).

May import: `membership`, `identity`, `config`, `crypto`, `results`.
"""
