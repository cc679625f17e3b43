"""Who may administer a realm: everyone to whom an administrative role is assigned directly.

A role or a group that passes such a role on is compared with its declaration (`realm_diff`); people are in no export.
Therefore these roles are asked for their holders. No person is declared to hold one; service accounts are part of
the export, and are compared with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.pristine import MASTER
from dive_infra.identity.realm_data import REALM_MANAGEMENT
from dive_infra.identity.realm_export import Tree

Role = tuple[str, str]  # the client that holds it, or an empty text for the realm; its name

_AT_ONCE = 4  # requests of some milliseconds each
_LIMIT = 1000  # people that are listed


def administrative(tree: Tree, realm: str) -> set[Role]:
    """Return the roles that administer something, and every role that contains one, in an (expected) realm."""
    held = {_role(path) for path in tree["client role"]}
    if realm == MASTER:
        found = {role for role in held if role[0].endswith("-realm")} | {("", "admin"), ("", "create-realm")}
    else:
        found = {role for role in held if role[0] == REALM_MANAGEMENT}
    composites = dict(_composites(tree))
    while more := {role for role, parts in composites.items() if role not in found and parts & found}:
        found |= more
    return found


def _composites(tree: Tree) -> Iterator[tuple[Role, set[Role]]]:
    for name, role in tree["role"].items():
        yield ("", name), set(parts(role.get("composites", {})))
    for path, role in tree["client role"].items():
        yield _role(path), set(parts(role.get("composites", {})))


def _role(path: str) -> Role:
    client, _, name = path.rpartition("/")
    return client, name


def parts(composites: Mapping[str, Any]) -> Iterator[Role]:
    """Return the roles in Keycloak's `{"realm": [...], "client": {client: [...]}}`."""
    yield from (("", name) for name in composites.get("realm", ()))
    yield from ((client, name) for client, names in composites.get("client", {}).items() for name in names)


def holders(admin: KeycloakAdmin, export: Mapping[str, Any], roles: Iterable[Role]) -> dict[str, list[str]]:
    """Return user name -> roles of every person who holds one of these in the live realm; raises `KeycloakError`.

    Costs a request for each role: a realm may have any number of people.
    """
    realm = f"/realms/{export['realm']}"
    ids = {c["clientId"]: c["id"] for c in export["clients"]}
    accounts = {u["username"] for u in export.get("users") or () if u.get("serviceAccountClientId")}
    asked = [role for role in sorted(roles) if not role[0] or role[0] in ids]

    def users(role: Role) -> list[str]:
        client, name = role
        path = f"{realm}/clients/{ids[client]}/roles/{name}" if client else f"{realm}/roles/{name}"
        try:
            found = admin.get(f"{path}/users", briefRepresentation=True, max=_LIMIT)
        except NotFound:
            return []  # a role that is missing is reported with the roles
        return [str(user["username"]) for user in found if user["username"] not in accounts]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(users, asked))
    held: dict[str, list[str]] = {}
    for role, names in zip(asked, answers, strict=True):
        for name in names:
            held.setdefault(name, []).append(shown(role))
    return {name: sorted(found) for name, found in sorted(held.items())}


def people(admin: KeycloakAdmin, realm: str, roles: Iterable[Role]) -> dict[str, list[str]]:
    """Return the same for master, where a person is an exception: a request for all of them, and one for each."""
    asked, held = set(roles), {}
    for user in admin.get(f"/realms/{realm}/users", briefRepresentation=True, max=_LIMIT):
        found = admin.get(f"/realms/{realm}/users/{user['id']}/role-mappings")
        own = {("", role["name"]) for role in found.get("realmMappings", ())}
        for client, mapping in found.get("clientMappings", {}).items():
            own |= {(client, role["name"]) for role in mapping["mappings"]}
        if administers := own & asked:
            held[str(user["username"])] = sorted(map(shown, administers))
    return held


def shown(role: Role) -> str:
    return f"{role[0]}/{role[1]}" if role[0] else role[1]
