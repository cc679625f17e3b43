"""Every value that the admin API shows of a realm, changed one at a time: from the live server, not our tables.

A value counts as changeable if the server shows another one after the change. What must not be changed is a row of
`EXEMPT`, with the reason. `realm_additions` adds something where nothing is set.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dive_infra.identity.keycloak_admin import KeycloakAdmin, KeycloakError

Path = tuple[str | int, ...]  # within a representation

# The last key of a value -> why it is not changed, or not compared.
EXEMPT = {
    **dict.fromkeys(("id", "internalId", "containerId", "parentId"), "another id is another object"),
    **dict.fromkeys(("alias", "clientId", "username"), "another name is another object: a missing and an extra one"),
    "name": "of a role: another name is another object",
    **dict.fromkeys(("providerId", "providerType"), "of a component: Keycloak answers 500 for one it does not know"),
    "realm": "another name is another realm: a missing and an extra one",
    "secret": "masked in the export; proven by its use",
    "clientSecret": "masked in the export; a link has none",
    "client.secret.creation.time": "written by Keycloak when a secret changes",
    **dict.fromkeys(("privateKey", "certificate", "kid"), "masked in the export; the keys themselves are compared"),
    "createdTimestamp": "written by Keycloak",
    "adminPermissionsEnabled": "turned on, Keycloak creates a client, which it keeps when this is turned off",
    "authenticationConfig": "the id of the configuration, which is compared by its name",
    "flowId": "the id of a flow, which is compared by its name",
    "displayName": "of a login step: part of Keycloak's program, not of the realm",
    "index": "of a login step: follows from its priority",
    "level": "of a login step: follows from its flow",
}
_ONLY = {
    "name": "role",
    "providerId": "component",
    "providerType": "component",
    "displayName": "step",
    "index": "step",
    "level": "step",
}
# Values of which Keycloak accepts certain ones only.
_OTHERS = {
    "requirement": ("DISABLED", "REQUIRED"),
    "sslRequired": ("none", "external"),
    "otpPolicyType": ("hotp", "totp"),
    "otpPolicyAlgorithm": ("HmacSHA256", "HmacSHA1"),
    "bruteForceStrategy": ("LINEAR", "MULTIPLE"),
    "clientAuthenticatorType": ("client-jwt", "client-secret"),
    "syncMode": ("IMPORT", "FORCE"),
    "browserFlow": ("direct grant", "browser"),
    "defaultLocale": ("de", "fr"),
}


def exempt(kind: str, key: str) -> bool:
    return key in EXEMPT and _ONLY.get(key, kind) == kind


@dataclass(frozen=True)
class Resource:
    """Something with a representation of its own; `kind` groups the coverage."""

    kind: str
    get: str
    put: str = ""
    listed: str = ""  # of the resource in the list that `get` returns

    def read(self, admin: KeycloakAdmin) -> Any:
        found = admin.get(self.get)
        return next(o for o in found if o["id"] == self.listed) if self.listed else found

    def write(self, admin: KeycloakAdmin, body: Any) -> None:
        admin.put(self.put or self.get, body)


@dataclass(frozen=True)
class Mutation:
    resource: Resource
    path: Path

    @property
    def kind(self) -> str:
        return self.resource.kind

    @property
    def name(self) -> str:
        return f"{self.resource.kind} {self.resource.get} {'.'.join(map(str, self.path))}"

    @property
    def exempt(self) -> bool:
        return exempt(self.kind, next(k for k in reversed(self.path) if isinstance(k, str)))

    def changed(self, body: Any) -> Any:
        """Return the representation with another value, or None if the value has no other."""
        value = _other(self.path[-1], at(body, self.path))
        return None if value is None else with_value(body, self.path, value)

    @contextmanager
    def made(self, admin: KeycloakAdmin) -> Iterator[bool]:
        """Change it for the time of the block; yield True if the server shows another representation then."""
        body = self.resource.read(admin)
        other = self.changed(body)
        if other is None:
            yield False
            return
        try:
            self.resource.write(admin, other)
        except KeycloakError:
            yield False  # refused: this value cannot be changed to that
            return
        try:
            yield _unordered(self.resource.read(admin)) != _unordered(body)
        finally:
            self.undo(admin, body)

    def undo(self, admin: KeycloakAdmin, body: Any) -> None:
        self.resource.write(admin, body)


def _unordered(value: Any) -> Any:
    """Return the value with its lists of texts sorted: some come in another order after each write."""
    if isinstance(value, dict):
        return {key: _unordered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(value) if all(isinstance(v, str) for v in value) else [_unordered(v) for v in value]
    return value


def at(body: Any, path: Path) -> Any:
    """Return the value at a path of a representation; None if its last part is not there."""
    for key in path[:-1]:
        body = body[key]
    return body.get(path[-1]) if isinstance(body, dict) else body[path[-1]]


def with_value(body: Any, path: Path, value: Any) -> Any:
    """Return a copy of the representation with this value at a path."""
    other = copy.deepcopy(body)
    holder = other
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return other


def _other(key: str | int, value: Any) -> Any:
    if key in _OTHERS:
        return next(other for other in _OTHERS[str(key)] if other != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return value[:-1] if value else None
    if value in ("true", "false"):
        return "false" if value == "true" else "true"
    if isinstance(value, str):
        return str(int(value) + 1) if value.isdigit() else f"{value}x"
    return None


def resources(admin: KeycloakAdmin, realm: str) -> Iterator[Resource]:
    """Return everything in the realm that has a representation."""
    at = f"/realms/{realm}"
    yield Resource("realm", at)
    yield from _clients(admin, realm)
    for scope in admin.get(f"{at}/client-scopes"):
        path = f"{at}/client-scopes/{scope['id']}"
        yield Resource("client scope", path)
        yield from _mappers("client scope", path, scope)
    yield from _roles(admin, at, at)
    yield from (Resource("group", f"{at}/groups/{g['id']}") for g in admin.get(f"{at}/groups"))
    for provider in admin.get(f"{at}/identity-provider/instances"):
        path = f"{at}/identity-provider/instances/{provider['alias']}"
        yield Resource("identity provider", path)
        for mapper in admin.get(f"{path}/mappers"):
            yield Resource("identity provider", f"{path}/mappers/{mapper['id']}")
    for flow in admin.get(f"{at}/authentication/flows"):
        if not flow["builtIn"]:
            yield Resource("login flow", f"{at}/authentication/flows/{flow['id']}")
        executions = f"{at}/authentication/flows/{flow['alias']}/executions"
        for step in admin.get(executions):
            yield Resource("step", executions, executions, step["id"])
            if step.get("authenticationConfig"):
                yield Resource("step", f"{at}/authentication/config/{step['authenticationConfig']}")
    for action in admin.get(f"{at}/authentication/required-actions"):
        yield Resource("required action", f"{at}/authentication/required-actions/{action['alias']}")
    for component in admin.get(f"{at}/components"):
        if component["providerId"] != "declarative-user-profile":  # which has a request of its own
            yield Resource("component", f"{at}/components/{component['id']}")
    yield Resource("user profile", f"{at}/users/profile")
    yield from (Resource("client policy", f"{at}/client-policies/{listed}") for listed in ("policies", "profiles"))


def _clients(admin: KeycloakAdmin, realm: str) -> Iterator[Resource]:
    at = f"/realms/{realm}"
    for client in admin.get(f"{at}/clients"):
        if (realm, client["clientId"]) == (admin.access.realm, admin.access.client_id):
            continue  # the account that asks: disabled, it could not ask for the next value
        path = f"{at}/clients/{client['id']}"
        yield Resource("client", path)
        yield from _mappers("client", path, client)
        yield from _roles(admin, at, path)


def _roles(admin: KeycloakAdmin, realm: str, holder: str) -> Iterator[Resource]:
    yield from (Resource("role", f"{realm}/roles-by-id/{role['id']}") for role in admin.get(f"{holder}/roles"))


def _mappers(kind: str, path: str, holder: Any) -> Iterator[Resource]:
    for mapper in holder.get("protocolMappers") or ():
        yield Resource(kind, f"{path}/protocol-mappers/models/{mapper['id']}")


def mutations(resource: Resource, body: Any) -> Iterator[Mutation]:
    """Return one for each value of the representation."""
    for path in _leaves(own(body)):
        yield Mutation(resource, path)


def own(body: Any) -> Any:
    """Return what the representation says of the object itself: mappers are resources of their own."""
    return {k: v for k, v in body.items() if k not in ("protocolMappers", "access")}


def _leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path
