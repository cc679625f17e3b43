"""Remove a country completely, even if Pulumi or its own services no longer work, and verify the removal.

What counts as a country's property and how each kind is deleted belongs here; showing it, asking for confirmation and
exit codes belong to `cli`.

May import: everything below.
"""
