"""Something added to a realm where nothing is set: to lists, maps and unset values, and by requests of its own.

What fits is taken from another object of the same form that has something there: from the live server. Where none has,
it is a row of a table below, and else a word: the server decides whether it takes that.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dive_infra.identity.keycloak_admin import KeycloakAdmin, KeycloakError
from tests.support.realm_mutations import Mutation, Path, Resource, at, exempt, own, with_value

ADDED = "added"
_OIDC = "openid-connect"
Json = dict[str, Any]

# Besides those that are exempt from changes: a key that is not added -> why.
NOT_ADDED = {"frontendUrl": "of master: the account that asks would be refused with its own token"}
# The last key of a list -> an element, where none of the server's lists has one.
_ELEMENTS: dict[str, Any] = {
    **dict.fromkeys(("webAuthnPolicyAcceptableAaguids", "webAuthnPolicyPasswordlessAcceptableAaguids"), "0" * 32),
    **dict.fromkeys(
        ("webAuthnPolicyExtraOrigins", "webAuthnPolicyPasswordlessExtraOrigins"), "https://added.localhost"
    ),
    "redirectUris": "https://added.localhost/*",
    "webOrigins": "https://added.localhost",
    "supportedLocales": "de",
    "policies": {"name": ADDED, "enabled": True, "conditions": [], "profiles": []},
    "profiles": {"name": ADDED, "executors": []},
}
# The same for maps: a key and its value.
_ENTRIES: dict[str, tuple[str, Any]] = {"smtpServer": ("host", "mail.added.localhost")}
_LISTED = frozenset(("role", "group", "component"))  # kinds whose maps have lists as values
# The form of a resource -> fields that Keycloak does not show while they are unset.
_UNSHOWN: dict[str, Json] = {
    "realms": {
        "displayNameHtml": ADDED,
        "passwordPolicy": "length(8)",
        "defaultLocale": "de",
        **dict.fromkeys(("loginTheme", "accountTheme", "adminTheme", "emailTheme"), "base"),
    },
    "clients": {"description": ADDED, **dict.fromkeys(("adminUrl", "baseUrl", "rootUrl"), "https://added.localhost")},
    "client-scopes": {"description": ADDED},
    "roles-by-id": {"description": ADDED},
    "groups": {"description": ADDED},
    "flows": {"description": ADDED},
    "instances": {"displayName": ADDED, "postBrokerLoginFlowAlias": "first broker login"},
    "profile": {"unmanagedAttributePolicy": "ENABLED"},
}
_NAMES = ("name", "alias", "clientId")


@dataclass(frozen=True)
class Addition(Mutation):
    """`given` at `path`, where the representation has nothing, or a list without it."""

    given: Any = None

    @property
    def name(self) -> str:
        return f"{super().name} = {self.given!r}"

    @property
    def exempt(self) -> bool:
        return super().exempt or self.path[-1] in NOT_ADDED

    def changed(self, body: Any) -> Any:
        return with_value(body, self.path, self.given)

    def undo(self, admin: KeycloakAdmin, body: Any) -> None:
        """Write an empty value first: of some objects Keycloak keeps what it is not given."""
        empty: Any = type(self.given)()
        try:
            if at(body, self.path) is None:
                self.resource.write(admin, with_value(body, self.path, empty))
        except KeycloakError:
            pass  # no such value can be empty: then it is enough not to give it
        finally:
            self.resource.write(admin, body)


@dataclass(frozen=True)
class Request:
    """Something that is added with `body` at `path`, by a request of its own.

    `removal` is the path that removes it, with `{id}` for that of the created object; without it, the same path and
    body do. `put`: by PUT instead of POST.
    """

    kind: str
    path: str
    body: Any = None
    removal: str = ""
    put: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} {self.path} + {self.body!r}"

    @contextmanager
    def made(self, admin: KeycloakAdmin) -> Iterator[bool]:
        """Add it for the time of the block; yield True if the server takes it."""
        created = ""
        try:
            if self.put:
                admin.put(self.path, self.body)
            else:
                created = admin.post(self.path, self.body)
        except KeycloakError:
            yield False
            return
        try:
            yield True
        finally:
            if self.removal:
                admin.delete(self.removal.format(id=created))
            else:
                admin.delete(self.path, self.body)


def additions(found: Sequence[tuple[Resource, Any]]) -> Iterator[Addition]:
    """Return what can be added within the representations of these resources."""
    known = _Known(found)
    for resource, body in found:
        if resource.listed:
            continue  # a login step takes a configuration only, by a request of its own
        for path, given in known.missing(resource, own(body)):
            yield Addition(resource, path, given)


def form(resource: Resource, body: Mapping[str, Any]) -> str:
    """Return the word for all resources with the same fields: the last collection of its path."""
    if resource.listed:
        return "executions"
    *_, above, last = resource.get.split("/")
    if resource.kind == "component":  # each provider has properties of its own
        return f"components {body.get('providerId')}"
    return last if resource.kind in ("user profile", "client policy") else above


class _Known:
    """What any of the representations has: form and pattern of a path -> values."""

    def __init__(self, found: Sequence[tuple[Resource, Any]]) -> None:
        self._entries: dict[tuple[str, Path], Json] = {}
        self._elements: dict[tuple[str, Path], list[Any]] = {}
        self._flows: dict[str, str] = {}  # realm -> a flow of its own
        for resource, body in found:
            if resource.kind == "login flow":
                self._flows.setdefault(_realm(resource), body["id"])
            self._collect(form(resource, body), own(body), ())

    def _collect(self, of: str, value: Any, path: Path) -> None:
        if isinstance(value, dict):
            entries = self._entries.setdefault((of, path), {})
            for key, inner in value.items():
                if not _unset(inner):
                    entries.setdefault(key, inner)
                self._collect(of, inner, (*path, key))
        elif isinstance(value, list):
            elements = self._elements.setdefault((of, path), [])
            elements += [element for element in value if element not in elements]
            for element in value:
                self._collect(of, element, (*path, 0))

    def missing(self, resource: Resource, body: Any) -> Iterator[tuple[Path, Any]]:
        """Return a path and a value for each thing that can be added."""
        of = form(resource, body)
        for key, given in _UNSHOWN.get(of, {}).items():
            if _unset(body.get(key)) and key not in self._entries.get((of, ()), {}):
                yield (key,), given
        yield from self._missing(resource, of, body, (), ())

    def _missing(
        self, resource: Resource, of: str, value: Any, path: Path, pattern: Path
    ) -> Iterator[tuple[Path, Any]]:
        if isinstance(value, dict):
            others = {k: v for k, v in self._entries.get((of, pattern), {}).items() if value.get(k) in (None, "")}
            others = {k: v for k, v in others.items() if not exempt(resource.kind, k) and k not in NOT_ADDED}
            if not path or isinstance(path[-1], int):  # a record: each of its fields
                yield from (((*path, key), given) for key, given in others.items())
            else:  # a map, to which any key can be added: one is enough
                key, given = min(others.items(), default=self._entry(resource, path), key=lambda entry: entry[0])
                yield (*path, key), given
            for key, inner in value.items():
                yield from self._missing(resource, of, inner, (*path, key), (*pattern, key))
        elif isinstance(value, list):
            yield path, [*value, self._element(of, value, pattern)]
            for place, inner in enumerate(value):
                yield from self._missing(resource, of, inner, (*path, place), (*pattern, 0))

    def _entry(self, resource: Resource, path: Path) -> tuple[str, Any]:
        key = str(path[-1])
        if key == "authenticationFlowBindingOverrides":
            return "browser", self._flows.get(_realm(resource), ADDED)
        return _ENTRIES.get(key, (ADDED, [ADDED] if resource.kind in _LISTED else ADDED))

    def _element(self, of: str, value: list[Any], pattern: Path) -> Any:
        others = self._elements.get((of, pattern), [])
        if named := next((v for v in (*value, *others) if isinstance(v, dict)), None):
            return {**named, **{key: f"{named[key]}-{ADDED}" for key in _NAMES if key in named}}
        fitting = [element for element in (*others, _ELEMENTS.get(str(pattern[-1]), ADDED)) if element not in value]
        return fitting[0] if fitting else f"{ADDED}-too"


def _realm(resource: Resource) -> str:
    return resource.get.split("/")[2]


def _unset(value: Any) -> bool:
    return value is None or value in ("", [], {})


_CLAIM = {"claim.name": "clearance", "claim.value": "TOP_SECRET", "access.token.claim": "true"}
_MAPPER = {"name": ADDED, "protocol": _OIDC, "protocolMapper": "oidc-hardcoded-claim-mapper", "config": _CLAIM}
# kind -> path below the realm, body, and the last part of the path that removes it
_OBJECTS: dict[str, tuple[str, Json, str]] = {
    "client": ("clients", {"clientId": ADDED}, "{id}"),
    "client scope": ("client-scopes", {"name": ADDED, "protocol": _OIDC}, "{id}"),
    "role": ("roles", {"name": ADDED}, ADDED),
    "group": ("groups", {"name": ADDED}, "{id}"),
    "identity provider": (
        "identity-provider/instances",
        {"alias": ADDED, "providerId": "oidc", "config": {"clientId": ADDED, "clientSecret": ADDED}},
        ADDED,
    ),
    "login flow": ("authentication/flows", {"alias": ADDED, "providerId": "basic-flow", "topLevel": True}, "{id}"),
}


def requests(admin: KeycloakAdmin, realm: str) -> Iterator[Request]:
    """Return what is added to the realm by requests of its own.

    Left out are keys (a foreign one is a change of its own test: each costs the server seconds), people with roles
    (which no export shows), and steps of flows that Keycloak ships: it refuses them.
    """
    at = f"/realms/{realm}"
    for kind, (path, body, last) in _OBJECTS.items():
        yield Request(kind, f"{at}/{path}", body, f"{at}/{path}/{last}")
    yield Request("realm", f"{at}/localization/en", {ADDED: ADDED}, f"{at}/localization/en/{ADDED}")
    clients, scopes, roles = (admin.get(f"{at}/{listed}") for listed in ("clients", "client-scopes", "roles"))
    own_account = (realm == admin.access.realm) and admin.access.client_id  # the account that asks stays as it is
    clients = [client for client in clients if client["clientId"] != own_account]
    by_name = {role["name"]: role for role in roles}
    all_, offline = by_name[f"default-roles-{realm}"], by_name["offline_access"]
    assigned = admin.get(f"{at}/default-default-client-scopes") + admin.get(f"{at}/default-optional-client-scopes")
    if free := _free(scopes, [scope["name"] for scope in assigned]):
        yield Request("realm", f"{at}/default-optional-client-scopes/{free}", put=True)
    for scope in scopes:
        yield from _mapped("client scope", f"{at}/client-scopes/{scope['id']}", all_)
    for client in clients:
        yield from _client(admin, at, client, scopes, all_, offline)
        roles += admin.get(f"{at}/clients/{client['id']}/roles")
    for role in roles:
        if not role["composite"] and role["id"] != offline["id"]:
            yield Request("role", f"{at}/roles-by-id/{role['id']}/composites", [offline])
    yield from _groups(admin, at, offline)
    yield from _providers(admin, at)
    yield from _flows(admin, at)
    for action in admin.get(f"{at}/authentication/unregistered-required-actions"):
        listed = f"{at}/authentication/required-actions/{action['providerId']}"
        yield Request("required action", f"{at}/authentication/register-required-action", action, listed)
    for component in admin.get(f"{at}/components"):
        if component["providerType"].endswith("ClientRegistrationPolicy"):
            body = {key: value for key, value in component.items() if key != "id"} | {"name": ADDED}
            yield Request("component", f"{at}/components", body, f"{at}/components/{{id}}")


def _client(
    admin: KeycloakAdmin, at: str, client: Json, scopes: Sequence[Json], all_: Json, offline: Json
) -> Iterator[Request]:
    path = f"{at}/clients/{client['id']}"
    yield from _mapped("client", path, all_)
    yield Request("role", f"{path}/roles", {"name": ADDED}, f"{path}/roles/{ADDED}")
    if free := _free(scopes, client.get("defaultClientScopes", []) + client.get("optionalClientScopes", [])):
        yield Request("client", f"{path}/optional-client-scopes/{free}", put=True)
    if client.get("serviceAccountsEnabled"):
        user = admin.get(f"{path}/service-account-user")["id"]
        yield Request("client", f"{at}/users/{user}/role-mappings/realm", [offline])


def _groups(admin: KeycloakAdmin, at: str, offline: Json) -> Iterator[Request]:
    default = {group["id"] for group in admin.get(f"{at}/default-groups")}
    for group in admin.get(f"{at}/groups"):
        path = f"{at}/groups/{group['id']}"
        if group["id"] not in default:
            yield Request("realm", f"{at}/default-groups/{group['id']}", put=True)
        yield Request("group", f"{path}/children", {"name": ADDED}, f"{at}/groups/{{id}}")
        yield Request("group", f"{path}/role-mappings/realm", [offline])


def _mapped(kind: str, path: str, role: Json) -> Iterator[Request]:
    """Return a mapper and a role that is passed on, of a client or a client scope."""
    mappers = f"{path}/protocol-mappers/models"
    yield Request(kind, mappers, _MAPPER, f"{mappers}/{{id}}")
    yield Request(kind, f"{path}/scope-mappings/realm", [role])


def _free(scopes: Sequence[Json], taken: Sequence[str]) -> str:
    """Return the id of a scope that is not taken; empty if all are."""
    return next((s["id"] for s in scopes if s.get("protocol") == _OIDC and s["name"] not in taken), "")


def _providers(admin: KeycloakAdmin, at: str) -> Iterator[Request]:
    for provider in admin.get(f"{at}/identity-provider/instances"):
        path = f"{at}/identity-provider/instances/{provider['alias']}/mappers"
        body = {
            "name": ADDED,
            "identityProviderAlias": provider["alias"],
            "identityProviderMapper": "oidc-hardcoded-role-idp-mapper",
            "config": {"syncMode": "FORCE", "role": "offline_access"},
        }
        yield Request("identity provider", path, body, f"{path}/{{id}}")


def _flows(admin: KeycloakAdmin, at: str) -> Iterator[Request]:
    for flow in admin.get(f"{at}/authentication/flows"):
        path = f"{at}/authentication/flows/{flow['alias']}/executions"
        if not flow["builtIn"]:
            removal = f"{at}/authentication/executions/{{id}}"
            yield Request("login flow", f"{path}/execution", {"provider": "idp-auto-link"}, removal)
        for step in admin.get(path):
            if step.get("configurable") and not step.get("authenticationConfig"):
                body = {"alias": ADDED, "config": {ADDED: ADDED}}
                target = f"{at}/authentication/executions/{step['id']}/config"
                yield Request("step", target, body, f"{at}/authentication/config/{{id}}")
