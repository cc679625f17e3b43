"""Rules on data: volumes that must not be lost, and the powers of database roles."""

from collections.abc import Iterator

from policy.rule import Resource, Rule, texts

VOLUME = "docker:index/volume:Volume"
OUR_VOLUME = "pulumi-python:dynamic/dive:DataVolume"
ROLE = "postgresql:index/role:Role"
GRANT_ROLE = "postgresql:index/grantRole:GrantRole"

_POWERS = ("superuser", "createRole", "createDatabase", "replication", "bypassRowLevelSecurity")
# Members of these roles read and write files and run programs on the server, which equals a superuser.
_SUPER = {"postgres", "pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"}


def _protected(resource: Resource) -> Iterator[str]:
    if not resource.protect and not resource.disposable:
        yield "the volume is not protected; expected protect: true, or dive:disposable in the stack's settings"


def _role(resource: Resource) -> Iterator[str]:
    for power in _POWERS:
        if resource.inputs.get(power):
            yield f"{power} is true; expected false"
    granted = {*texts(resource.inputs.get("roles")), *texts(resource.inputs.get("grantRole"))}
    for role in sorted(granted & _SUPER):
        yield f"the role is a member of {role}; expected only roles of its own database"


RULES = (
    Rule(
        "volumes-protected",
        "A volume is protected unless its stack is disposable.",
        "A volume holds the only copy of a country's data; a plan that replaces or deletes the volume loses it.",
        (VOLUME, OUR_VOLUME),
        _protected,
    ),
    Rule(
        "no-superusers",
        "A database role may log in and use its own database, nothing else.",
        "A superuser reads every database of the country and the files of its server; no grant restricts it.",
        (ROLE, GRANT_ROLE),
        _role,
    ),
)
