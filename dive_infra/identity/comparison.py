"""A country's Keycloak compared in full with what it must hold: every object of its realm and of master.

`realm_diff` reports what differs; `undeclared` restores what no resource of Pulumi covers.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity import administrators, desired_realm
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.identity.pristine import MASTER, pristine
from dive_infra.identity.realm_export import Tree, normal
from dive_infra.identity.tree_diff import Path, TreeDifference, covers, differences
from dive_infra.process.probe_cache import PROBES

ADMINISTRATOR = "administrator"
REALM = "realm"
# Objects of which Pulumi's one resource writes all, so that a refresh removes what is extra.
_WHOLE = frozenset(("user attribute", "group of attributes", "user profile"))
_CLIENTS_PARTS = frozenset(("client role", "service account"))  # exist with their client
# Exist with a step of a login flow -> the step's key with their name.
_STEPS_PARTS = {"login flow": "flowAlias", "configuration of a login step": "authenticatorConfig"}


@dataclass(frozen=True)
class Compared:
    """An object of a realm; `expected` and `found` are None where it does not exist.

    `declared` are the differences that a resource of Pulumi restores, `uncovered` all others.
    """

    realm: str
    kind: str
    name: str
    expected: Any
    found: Any
    declared: tuple[TreeDifference, ...] = ()
    uncovered: tuple[TreeDifference, ...] = ()

    @property
    def differences(self) -> tuple[TreeDifference, ...]:
        return (*self.declared, *self.uncovered)

    @property
    def extra(self) -> bool:
        return self.expected is None

    @property
    def missing(self) -> bool:
        return self.found is None


@dataclass(frozen=True)
class Live:
    """What the server answered: the names of its realms, and of our realm and of master the export and people."""

    realms: tuple[str, ...]
    exports: Mapping[str, Any]
    people: Mapping[str, Mapping[str, list[str]]]


def live(admin: KeycloakAdmin, names: Names) -> Live:
    """Return the live server, read once in a run; raises `KeycloakError`."""
    return PROBES.get(("keycloak", names.namespace, names.realm), lambda: _read(admin, names))


def _read(admin: KeycloakAdmin, names: Names) -> Live:
    realms = tuple(sorted(r["realm"] for r in admin.get("/realms", briefRepresentation=True)))
    exports: dict[str, Any] = {}
    people: dict[str, dict[str, list[str]]] = {}

    def own() -> None:
        exports[names.realm] = found = admin.export(names.realm)
        roles = administrators.administrative(pristine(names.realm).realm, names.realm)
        people[names.realm] = administrators.holders(admin, found, roles)

    def master() -> None:
        exports[MASTER] = found = admin.export(MASTER)
        people[MASTER] = administrators.people(admin, MASTER, administrators.administrative(normal(found), MASTER))

    with ThreadPoolExecutor(2) as pool:  # `result` raises what a thread raised
        for started in [pool.submit(master), *([pool.submit(own)] if names.realm in realms else [])]:
            started.result()
    return Live(realms, exports, people)


def compare_all(found: Live, names: Names, partners: Sequence[Names], beside: Sequence[str] = ()) -> list[Compared]:
    """Return every object of our realm and of master, and every realm; `beside` are other expected realms."""
    realms = [names.realm, *beside]
    compared = [
        Compared("", REALM, realm, None, {}, uncovered=(TreeDifference((), None, {}),))
        for realm in found.realms
        if realm not in (*realms, MASTER)
    ]
    for realm in (names.realm, MASTER):
        if realm not in found.exports:
            compared.append(Compared("", REALM, realm, {}, None, declared=(TreeDifference((), {}, None),)))
            continue
        if realm == MASTER:
            # Each realm has a client here; those of undeclared realms go with them.
            expected, declared = desired_realm.expected_master([r for r in found.realms if r != MASTER]), {}
        else:
            expected, declared = desired_realm.expected(names, partners), desired_realm.declared(names, partners)
        compared += compare_realm(realm, expected, declared, normal(found.exports[realm]))
        compared += [
            Compared(realm, ADMINISTRATOR, person, None, roles, uncovered=(TreeDifference((), None, roles),))
            for person, roles in found.people[realm].items()
        ]
    return compared


def compare_realm(realm: str, expected: Tree, declared: Tree, found: Tree) -> Iterator[Compared]:
    """Yield every object of a realm, expected or found."""
    for kind in sorted({*expected, *found}):
        wanted, there = expected.get(kind, {}), found.get(kind, {})
        for name in sorted({*wanted, *there}):
            a, b = wanted.get(name), there.get(name)
            if (a is None or b is None) and _is_reported(kind, name, a or b, expected, found):
                continue
            off = [TreeDifference((), a, b)] if a is None or b is None else differences(a, b)
            split: tuple[list[TreeDifference], list[TreeDifference]] = ([], [])
            for difference in off:
                split[0 if _covered(declared, kind, (kind, name, *difference.path)) else 1].append(difference)
            yield Compared(realm, kind, name, a, b, tuple(split[0]), tuple(split[1]))


def _covered(declared: Tree, kind: str, path: Path) -> bool:
    return (kind in _WHOLE and kind in declared) or covers(declared, path)


def _is_reported(kind: str, name: str, part: Mapping[str, Any], expected: Tree, found: Tree) -> bool:
    """Return True if an extra or missing object is a part of another one, which differs therefore, too."""
    if kind in _CLIENTS_PARTS:
        client = name.rpartition("/")[0] if kind == "client role" else part.get("serviceAccountClientId", "")
        return (client in expected.get("client", {})) != (client in found.get("client", {}))
    if kind in _STEPS_PARTS and not part.get("topLevel"):
        steps = [s for f in found.get("login flow", {}).values() for s in f.get("steps", {}).values()]
        return any(step.get(_STEPS_PARTS[kind]) == name for step in steps)
    return False
