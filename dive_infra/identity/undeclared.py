"""Undeclared realm objects: present in Keycloak, and covered by no resource of Pulumi, so that no refresh sees them.

An extra mapper or login step and the scopes of a client are part of a declared object: any update repairs them. An
object of its own (a client, an identity provider) may belong to someone: it is removed only if `DIVE_REMOVE` names it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity import desired_realm, realm_data
from dive_infra.identity.desired_realm import by
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_diff import removal


@dataclass(frozen=True)
class UndeclaredObject:
    """`what` is undeclared, and `repair` removes it; `DIVE_REMOVE` must contain its `name`, if it has one."""

    what: str
    repair: Callable[[], object]
    name: str = ""


def undeclared_objects(admin: KeycloakAdmin, names: Names, partners: Sequence[Names]) -> list[UndeclaredObject]:
    """Return all of them; raises `KeycloakError`. Missing objects are not covered here."""
    return list(_Realm(admin, names, partners).all())


class _Realm:
    def __init__(self, admin: KeycloakAdmin, names: Names, partners: Sequence[Names]) -> None:
        self.admin, self.names, self.partners = admin, names, partners
        self.realm = f"/realms/{names.realm}"

    def all(self) -> Iterator[UndeclaredObject]:
        yield from self._scopes()
        yield from self._clients()
        yield from self._providers()
        yield from self._roles_and_groups()
        yield from self._steps()

    def _get(self, path: str) -> Any:
        return self.admin.get_cached(f"{self.realm}/{path}")

    def _removed(self, what: str, path: str, name: str = "") -> UndeclaredObject:
        return UndeclaredObject(what, partial(self.admin.delete, f"{self.realm}/{path}"), name)

    def _extra(self, kind: str, live: Iterable[tuple[str, str]], wanted: Iterable[str]) -> Iterator[UndeclaredObject]:
        """`live`: (name, path)."""
        known = set(wanted)
        return (self._removed(f"{kind} {n}", path, removal(kind, n)) for n, path in live if n not in known)

    def _mappers(self, holder: str, path: str, live: Any, wanted: Iterable[str]) -> Iterator[UndeclaredObject]:
        known = set(wanted)
        return (
            self._removed(f"mapper {m['name']} of {holder}", f"{path}/{m['id']}")
            for m in live or ()
            if m["name"] not in known
        )

    def _scopes(self) -> Iterator[UndeclaredObject]:
        wanted = desired_realm.scopes()
        live = [s for s in self._get("client-scopes") if s["name"] not in desired_realm.KEYCLOAKS_SCOPES]
        yield from self._extra("client scope", ((s["name"], f"client-scopes/{s['id']}") for s in live), wanted)
        for s in live:
            if s["name"] in wanted:
                path, held = f"client-scopes/{s['id']}/protocol-mappers/models", wanted[s["name"]]["protocolMappers"]
                yield from self._mappers(f"client scope {s['name']}", path, s.get("protocolMappers"), held)

    def _clients(self) -> Iterator[UndeclaredObject]:
        wanted = desired_realm.clients(self.names, self.partners)
        live = [c for c in self._get("clients") if c["clientId"] not in desired_realm.KEYCLOAKS_CLIENTS]
        yield from self._extra("client", ((c["clientId"], f"clients/{c['id']}") for c in live), wanted)
        scopes = {s["name"]: s["id"] for s in self._get("client-scopes")}
        for c in live:
            declared = wanted.get(c["clientId"], {})
            if "protocolMappers" in declared:
                path, held = f"clients/{c['id']}/protocol-mappers/models", declared["protocolMappers"]
                yield from self._mappers(f"client {c['clientId']}", path, c.get("protocolMappers"), held)
            if "defaultClientScopes" in declared:
                yield from self._default_scopes(c, scopes)

    def _default_scopes(self, client: Any, scopes: dict[str, str]) -> Iterator[UndeclaredObject]:
        """Check a client's default scopes, which it gets from its realm only when it is created."""
        live, wanted = set(client["defaultClientScopes"]), set(realm_data.DEFAULT_SCOPES)
        path = f"{self.realm}/clients/{client['id']}/default-client-scopes"
        for scope in sorted(live - wanted):
            what = f"scope {scope} of client {client['clientId']}"
            yield UndeclaredObject(what, partial(self.admin.delete, f"{path}/{scopes[scope]}"))
        for scope in sorted((wanted - live) & scopes.keys()):
            what = f"missing scope {scope} of client {client['clientId']}"
            yield UndeclaredObject(what, partial(self.admin.put, f"{path}/{scopes[scope]}"))

    def _providers(self) -> Iterator[UndeclaredObject]:
        path = "identity-provider/instances"
        wanted = desired_realm.providers(self.names, self.partners)
        live = [str(p["alias"]) for p in self._get(path)]
        yield from self._extra("identity provider", ((a, f"{path}/{a}") for a in live), wanted)
        for alias in live:
            if alias in wanted:
                mappers = f"{path}/{alias}/mappers"
                held = wanted[alias]["mappers"]
                yield from self._mappers(f"identity provider {alias}", mappers, self._get(mappers), held)

    def _roles_and_groups(self) -> Iterator[UndeclaredObject]:
        wanted, keycloaks = desired_realm.roles(self.names)
        roles = ((r["name"], f"roles/{r['name']}") for r in self._get("roles"))
        yield from self._extra("role", roles, {*wanted, *keycloaks})
        groups = ((name, f"groups/{g['id']}") for name, g in by(self._get("groups"), "name").items())
        yield from self._extra("group", groups, desired_realm.groups())

    def _steps(self) -> Iterator[UndeclaredObject]:
        known = {step.split()[0] for step in desired_realm.FLOW_STEPS}
        try:
            steps = self._get(f"authentication/flows/{realm_data.FIRST_LOGIN_FLOW}/executions")
        except NotFound:
            return
        for step in steps:
            if step.get("providerId") not in known:
                what = f"step {step.get('providerId') or step['displayName']} of {realm_data.FIRST_LOGIN_FLOW}"
                yield self._removed(what, f"authentication/executions/{step['id']}")
