"""The key providers that Keycloak ships in a country's realm and in master: their keys, and the rotation of these."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity.comparison import Live
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.pristine import MASTER, pristine
from dive_infra.identity.realm_export import Tree
from dive_infra.identity.realm_keys import LiveKeys, RealmKey, Recorded, live_keys
from dive_infra.process.probe_cache import PROBES

TYPE = "org.keycloak.keys.KeyProvider"
_FALLBACK = "fallback-"  # Keycloak creates such a provider when it needs a key and finds none


def shipped(names: Names) -> dict[str, dict[str, Tree]]:
    """Return realm -> name -> key provider, as Keycloak ships them."""
    found = pristine(names.realm)
    return {
        realm: {str(c["name"]): c for c in tree["component"].values() if c["providerType"] == TYPE}
        for realm, tree in ((names.realm, found.realm), (MASTER, found.master))
    }


def missing(server: Live, names: Names) -> list[str]:
    """Return the shipped key providers that do not exist, as `realm/name`: whoever creates them creates new keys."""
    there = {realm: {c.get("name") for c in _components(export)} for realm, export in server.exports.items()}
    expected = [(realm, name) for realm, held in shipped(names).items() for name in held]
    return [f"{realm}/{name}" for realm, name in expected if name not in there.get(realm, ())]


def read(admin: KeycloakAdmin, realm: str) -> LiveKeys:
    """Return the keys in force; raises `KeycloakError`."""
    return live_keys(admin.get(f"/realms/{realm}/keys"), admin.get(f"/realms/{realm}/components", type=TYPE))


def read_beside(admin: KeycloakAdmin, names: Names, server: Live) -> dict[str, LiveKeys]:
    """Return realm -> its keys, with one request for each realm of the live server that was exported."""

    def ask() -> dict[str, LiveKeys]:
        return {
            realm: live_keys(admin.get(f"/realms/{realm}/keys"), _components(export))
            for realm, export in server.exports.items()
        }

    return PROBES.get(("keycloak keys", names.namespace, names.realm), ask)


def rotate(admin: KeycloakAdmin, names: Names, tell: Callable[[str, list[str]], None]) -> None:
    """Replace the shipped key providers of both realms by new ones, for which Keycloak generates keys.

    `tell` gets each realm that is done, with its providers. New ones are created first, so that no realm lacks a key;
    then all others of the same names are deleted, also those that an interrupted rotation has left. Raises
    `KeycloakError`.
    """
    for realm, providers in shipped(names).items():
        path = f"/realms/{realm}"
        parent, old = admin.get(path)["id"], admin.get(f"{path}/components", type=TYPE)
        for provider in providers.values():
            admin.post(f"{path}/components", {**provider, "parentId": parent})
        for component in old:
            name = component.get("name") or ""
            if name in providers or name.startswith(_FALLBACK):
                with suppress(NotFound):
                    admin.delete(f"{path}/components/{component['id']}")
        tell(realm, sorted(providers))


def to_record(
    before: Recorded, live: Mapping[str, LiveKeys], accepted: Collection[str], again: Collection[str], names: Names
) -> dict[str, list[RealmKey]]:
    """Return the keys to record: those of `before`, but the live ones of realms `accepted` and of providers `again`.

    `again` holds `realm/name`. Only keys of shipped providers are recorded: any other provider is undeclared itself.
    """
    found: dict[str, list[RealmKey]] = {}
    for realm, providers in shipped(names).items():
        taken = [name for name in providers if realm in accepted or f"{realm}/{name}" in again]
        kept = [key for key in before.get(realm, ()) if key.provider not in taken]
        found[realm] = [*kept, *live[realm].of(taken)]
    return found


def _components(export: Mapping[str, Any]) -> Any:
    return (export.get("components") or {}).get(TYPE) or ()
