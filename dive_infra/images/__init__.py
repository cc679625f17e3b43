"""The images of services: found, pulled, sent or built, and their digests locked.

Belongs here: recipes, the builder, registries, images.lock, the way from one engine to another. Belongs elsewhere:
Dockerfiles (top-level `images/`), which image a service has (`catalog`, settings).

May import: `engines`, `toolchain`, `catalog`, `config`, `results`.
"""
