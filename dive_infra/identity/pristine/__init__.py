"""What a Keycloak version ships: a new realm, what it holds of new objects, and the realm master, in normal form.

One file for each version, `keycloak-<version>.json`. To write the file of the version that the catalog names, from a
server of that image:

    REGENERATE=1 .venv/bin/pytest -m '' tests/providers/test_identity.py -k pristine

Read its difference from the file before: it is what the upgrade changes in every realm.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_export import Tree, normal
from dive_infra.results.errors import DiveError

VERSION = "26.7.4"  # of Keycloak, in the catalog
FOLDER = Path(__file__).parent
MASTER = "master"
_PROBE = "pristine-probe"
_REALM = "{realm}"  # in the file: the name of the realm


class NoPristineRealm(DiveError):
    """This checkout does not know what that Keycloak version ships."""


@dataclass(frozen=True)
class Pristine:
    """`new`: kind -> an object of which only the name was given. `managed`: what master holds for each other realm."""

    realm: Tree
    new: Tree
    master: Tree
    managed: Tree


def file(version: str) -> Path:
    return FOLDER / f"keycloak-{version}.json"


@cache
def _text(version: str) -> str:
    try:
        return file(version).read_text()
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem.removeprefix("keycloak-") for p in FOLDER.glob("*.json")))
        raise NoPristineRealm(
            f"what Keycloak {version} ships is unknown: expected {file(version).name} beside {known}"
        ) from None


@cache
def pristine(realm: str, version: str = VERSION) -> Pristine:
    """Return what the version ships, for the realm of this name; it is shared, so change only copies of it."""
    return Pristine(**json.loads(_text(version).replace(_REALM, realm)))


def text(found: dict[str, Any]) -> str:
    """Return the content of a file."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False).replace(_PROBE, _REALM) + "\n"


def observe(admin: KeycloakAdmin) -> dict[str, Any]:
    """Return what the server ships, from a realm that is created for this and deleted at once."""
    try:
        admin.post("/realms", {"realm": _PROBE, "enabled": True})
        found = {"realm": normal(admin.export(_PROBE))}
        _create(admin, f"/realms/{_PROBE}")
        after, master = normal(admin.export(_PROBE)), normal(admin.export(MASTER))
    finally:
        with suppress(NotFound):  # it may exist though the answer was late
            admin.delete(f"/realms/{_PROBE}")
    found["new"] = {kind: after[kind]["new"] for kind in _NEW}
    found["new"]["account"] = after["client"]["new-account"]
    found["new"]["service account"] = after["service account"]["service-account-new-account"]
    found["new"]["login step"] = found["new"]["login flow"].pop("steps")["idp-create-user-if-unique"]
    found["master"], found["managed"] = _split(master)
    return found


_NEW = {
    "client": ("clients", {"clientId": "new"}),
    "client scope": ("client-scopes", {"name": "new", "protocol": "openid-connect"}),
    "role": ("roles", {"name": "new"}),
    "group": ("groups", {"name": "new"}),
    "identity provider": (
        "identity-provider/instances",
        {"alias": "new", "providerId": "oidc", "config": {"clientId": "new", "clientSecret": "new"}},
    ),
    "login flow": ("authentication/flows", {"alias": "new", "providerId": "basic-flow", "topLevel": True}),
}


def _create(admin: KeycloakAdmin, realm: str) -> None:
    """Create one object of each kind, with its name and what Keycloak requires."""
    for path, body in _NEW.values():
        admin.post(f"{realm}/{path}", body)
    admin.post(f"{realm}/clients", {"clientId": "new-account", "serviceAccountsEnabled": True})
    admin.post(f"{realm}/authentication/flows/new/executions/execution", {"provider": "idp-create-user-if-unique"})


def _split(master: Tree) -> tuple[Tree, Tree]:
    """Return master as it is without other realms, and what it holds for the probe's realm."""
    managers = {c for c in master["client"] if c.endswith("-realm") and c != f"{MASTER}-realm"}
    ours = f"{_PROBE}-realm"
    composites = master["role"]["admin"]["composites"]["client"]
    managed: Tree = {
        "client": {ours: master["client"][ours]},
        "client role": {r: v for r, v in master["client role"].items() if r.split("/")[0] == ours},
        "role": {"admin": {"composites": {"client": {ours: composites[ours]}}}},
    }
    master["client"] = {c: v for c, v in master["client"].items() if c not in managers}
    master["client role"] = {r: v for r, v in master["client role"].items() if r.split("/")[0] not in managers}
    master["role"]["admin"]["composites"]["client"] = {c: v for c, v in composites.items() if c not in managers}
    return master, managed
