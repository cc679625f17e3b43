"""The six phases of a deployment, each a component that ends with its checkpoint.

Belongs here: which components and resources a phase declares, and the specification that its checkpoint proves. Belongs
elsewhere: what proves a phase (`checks`), how a resource is created (`dynamic`).

May import: everything below.
"""
