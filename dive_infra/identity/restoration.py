"""How to restore an object of a realm to what it must be, or to remove it: the requests of each kind.

Only what no resource of Pulumi covers is restored here (`comparison.Compared.uncovered`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from dive_infra.identity.comparison import ADMINISTRATOR, REALM, Compared
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_export import Tree, component_names
from dive_infra.identity.tree_diff import TreeDifference
from dive_infra.results.errors import DiveError

# Parts of an object that have requests of their own.
_SCOPES = {"defaultClientScopes": "default-client-scopes", "optionalClientScopes": "optional-client-scopes"}
_REALM_SCOPES = {
    "defaultDefaultClientScopes": "default-default-client-scopes",
    "defaultOptionalClientScopes": "default-optional-client-scopes",
}
_MAPPERS = "protocolMappers"
# Of which an update keeps what it is not given; an empty text removes it.
_KEEPING = frozenset(("client", "client scope"))
_LIST_SEPARATOR = "##"
# Settings of a realm that Keycloak reads together, by the start of their names.
_POLICIES = ("otpPolicy", "webAuthnPolicy")

# kind -> list in the export, key of the name, path below the realm with the id or the name
_PLACES = {
    "client": ("clients", "clientId", "clients/{id}"),
    "client scope": ("clientScopes", "name", "client-scopes/{id}"),
    "identity provider": ("identityProviders", "alias", "identity-provider/instances/{name}"),
    "login flow": ("authenticationFlows", "alias", "authentication/flows/{id}"),
    "configuration of a login step": ("authenticatorConfig", "alias", "authentication/config/{id}"),
    "required action": ("requiredActions", "alias", "authentication/required-actions/{name}"),
}


_CREATED = frozenset(("client", "client scope", "client role", "component", "required action", "role"))
_OTHERS = frozenset(
    ("client role", "client policy", "client profile", "component", "group", "role", "service account", REALM)
)
_FIXED = frozenset(("keycloakVersion", "authorizationSettings", "types"))


class CannotRestore(DiveError):
    """Keycloak has no request for this."""


def restores(compared: Compared) -> bool:
    """Return True if an update restores the uncovered differences of an object that must exist."""
    if not compared.uncovered or compared.extra:
        return False
    if compared.missing:
        return compared.kind in _CREATED
    known = compared.kind in _PLACES or compared.kind in _OTHERS
    return known and not any(d.path[0] in _FIXED for d in compared.uncovered)


class Restoration:
    """The requests for one realm; `export` is its live export."""

    def __init__(self, admin: KeycloakAdmin, realm: str, export: Mapping[str, Any]) -> None:
        self.admin, self.realm, self.export = admin, f"/realms/{realm}", export
        self._clients = {c["clientId"]: c["id"] for c in export.get("clients", ())}
        self._scopes = {s["name"]: s["id"] for s in export.get("clientScopes", ())}
        self._groups = dict(_paths(export.get("groups", ())))

    def remove(self, compared: Compared) -> None:
        """Remove an object that is extra; of an administrator, only the roles."""
        if compared.kind == ADMINISTRATOR:
            self._demote(compared)
        elif compared.kind in ("client profile", "client policy"):
            self._policies(compared, remove=True)
        else:
            with suppress(NotFound):  # gone with what it was a part of
                self.admin.delete(self._path(compared.kind, compared.name))

    def restore(self, compared: Compared) -> None:
        """Restore the uncovered differences of an object that exists, or create one that Keycloak ships."""
        if compared.missing:
            self._create(compared)
            return
        special = _PARTS.get(compared.kind, {})
        rest = []
        for difference in compared.uncovered:
            change = special.get(difference.path[0])
            if change is None:
                rest.append(difference)
            else:
                change(self, compared, difference)
        if rest:
            self._put(compared, rest)

    def _path(self, kind: str, name: str) -> str:
        if kind in _PLACES:
            listed, key, path = _PLACES[kind]
            id_ = next(o["id"] for o in self.export[listed] if o[key] == name) if "{id}" in path else ""
            return f"{self.realm}/{path.format(id=id_, name=name)}"
        if kind == "group":
            return f"{self.realm}/groups/{self._groups[f'/{name}']}"
        if kind == "role":
            return f"{self.realm}/roles/{name}"
        if kind == "client role":
            client, _, role = name.rpartition("/")
            return f"{self.realm}/clients/{self._clients[client]}/roles/{role}"
        if kind == "component":
            return f"{self.realm}/components/{self._component(name)}"
        if kind == REALM:
            return self.realm
        raise CannotRestore(f"{kind} {name}")

    def _component(self, name: str) -> str:
        return next(str(c["id"]) for n, _, c in component_names(self.export["components"]) if n == name)

    def _put(self, compared: Compared, differences: Sequence[TreeDifference]) -> None:
        if compared.kind in ("client profile", "client policy"):
            self._policies(compared)
            return
        path = self._path(compared.kind, compared.name)
        body = self.admin.get(path)
        for difference in differences:
            _set(body, difference, keeps=compared.kind in _KEEPING)
        if compared.kind == REALM:
            # Of a whole realm, Keycloak would write settings into the attributes, too; a policy it takes only whole.
            changed = {d.path[0] for d in differences}
            whole = tuple(policy for policy in _POLICIES if any(key.startswith(policy) for key in changed))
            body = {key: value for key, value in body.items() if key in changed or key.startswith(whole)}
        self.admin.put(path, body)

    def _create(self, compared: Compared) -> None:
        kind, name, body = compared.kind, compared.name, dict(compared.expected)
        if kind == "required action":
            action = {"providerId": body["providerId"], "name": body.get("name", name)}
            self.admin.post(f"{self.realm}/authentication/register-required-action", action)
            self.admin.put(self._path(kind, name), {**body, "alias": name})
        elif kind == "component":
            self.admin.post(f"{self.realm}/components", {**body, "parentId": self.export["id"]})
        elif kind in ("role", "client role"):
            path, _, own = self._new_role(kind, name)
            composites = body.pop("composites", {})
            self.admin.post(path, {**body, "name": own})
            self._give(f"{path}/{own}/composites", composites, {})
        elif kind in ("client", "client scope"):
            mappers = body.pop(_MAPPERS, {})
            body.pop("scopeMappings", None)
            key, path = ("clientId", "clients") if kind == "client" else ("name", "client-scopes")
            listed = [_mapper(n, m) for n, m in mappers.items()]
            self.admin.post(f"{self.realm}/{path}", {**_joined(body), key: name, _MAPPERS: listed})
        else:
            raise CannotRestore(f"{kind} {name}")

    def _new_role(self, kind: str, name: str) -> tuple[str, str, str]:
        if kind == "role":
            return f"{self.realm}/roles", "", name
        client, _, own = name.rpartition("/")
        return f"{self.realm}/clients/{self._clients[client]}/roles", client, own

    # Parts of objects.

    def mapper(self, compared: Compared, difference: TreeDifference) -> None:
        """Restore a protocol mapper of a client or a client scope."""
        _, name, *_ = (*difference.path, "")
        wanted = compared.expected.get(_MAPPERS, {})
        path = f"{self._path(compared.kind, compared.name)}/protocol-mappers/models"
        live = {m["name"]: m["id"] for m in self.admin.get(path)}
        for mapper in [name] if name else sorted({*live, *wanted}):
            if mapper not in wanted:
                self.admin.delete(f"{path}/{live[mapper]}")
            elif mapper in live:
                self.admin.put(f"{path}/{live[mapper]}", {"id": live[mapper], **_mapper(mapper, wanted[mapper])})
            else:
                self.admin.post(path, _mapper(mapper, wanted[mapper]))

    def provider_mapper(self, compared: Compared, difference: TreeDifference) -> None:
        """Restore a mapper of an identity provider."""
        _, name, *_ = (*difference.path, "")
        wanted = compared.expected.get("mappers", {})
        path = f"{self._path(compared.kind, compared.name)}/mappers"
        live = {m["name"]: m["id"] for m in self.admin.get(path)}
        for mapper in [name] if name else sorted({*live, *wanted}):
            if mapper not in wanted:
                self.admin.delete(f"{path}/{live[mapper]}")
                continue
            config = {k: v for k, v in wanted[mapper].items() if k != "kind"}
            body = {"name": mapper, "identityProviderAlias": compared.name, "config": config}
            body["identityProviderMapper"] = wanted[mapper]["kind"]
            if mapper in live:
                self.admin.put(f"{path}/{live[mapper]}", {"id": live[mapper], **body})
            else:
                self.admin.post(path, body)

    def client_scopes(self, compared: Compared, difference: TreeDifference) -> None:
        """Restore which scopes a client has."""
        self._assign(f"{self._path('client', compared.name)}/{_SCOPES[difference.path[0]]}", difference)

    def realm_scopes(self, _: Compared, difference: TreeDifference) -> None:
        """Restore which scopes new clients get."""
        self._assign(f"{self.realm}/{_REALM_SCOPES[difference.path[0]]}", difference)

    def _assign(self, path: str, difference: TreeDifference) -> None:
        wanted, live = set(difference.expected or ()), set(difference.found or ())
        for scope in sorted((live - wanted) & self._scopes.keys()):
            self.admin.delete(f"{path}/{self._scopes[scope]}")
        for scope in sorted((wanted - live) & self._scopes.keys()):
            self.admin.put(f"{path}/{self._scopes[scope]}")

    def default_groups(self, _: Compared, difference: TreeDifference) -> None:
        """Restore the groups that new people join."""
        wanted, live = set(difference.expected or ()), set(difference.found or ())
        for group in sorted(live - wanted):
            self.admin.delete(f"{self.realm}/default-groups/{self._groups[group]}")
        for group in sorted(wanted - live):
            self.admin.put(f"{self.realm}/default-groups/{self._groups[group]}")

    def texts(self, compared: Compared, _: TreeDifference) -> None:
        """Restore the texts of the login pages."""
        wanted = compared.expected.get("localizationTexts", {})
        for locale, live in compared.found.get("localizationTexts", {}).items():
            for key in live.keys() - wanted.get(locale, {}).keys():
                self.admin.delete(f"{self.realm}/localization/{locale}/{key}")

    def step(self, compared: Compared, _: TreeDifference) -> None:
        """Restore the steps of a login flow: remove extra ones, and set what the others require."""
        path = f"{self.realm}/authentication/flows/{compared.name}/executions"
        wanted = compared.expected.get("steps", {})
        for step in self.admin.get(path):
            if step["level"]:
                continue  # of a flow inside this one
            name = step.get("providerId") if not step.get("authenticationFlow") else step["displayName"]
            if name not in wanted:
                self.admin.delete(f"{self.realm}/authentication/executions/{step['id']}")
                continue
            target = wanted[name]
            if step.get("authenticationConfig") and "authenticatorConfig" not in target:
                self.admin.delete(f"{self.realm}/authentication/config/{step['authenticationConfig']}")
            changed = {k: target[k] for k in ("requirement", "priority") if k in target and step.get(k) != target[k]}
            if changed:
                self.admin.put(path, {**step, **changed})

    def composites(self, compared: Compared, _: TreeDifference) -> None:
        """Restore which roles a role contains."""
        path = f"{self._path(compared.kind, compared.name)}/composites"
        self._give(path, compared.expected.get("composites", {}), compared.found.get("composites", {}))

    def _give(self, path: str, wanted: Tree, live: Tree) -> None:
        asked, held = (set(_parts(side)) for side in (wanted, live))
        if held - asked:
            self.admin.delete(path, [self._role(*role) for role in sorted(held - asked)])
        if asked - held:
            self.admin.post(path, [self._role(*role) for role in sorted(asked - held)])

    def composite_flag(self, compared: Compared, difference: TreeDifference) -> None:
        """Do nothing: Keycloak derives whether a role is composite from what it contains."""

    def group_roles(self, compared: Compared, _: TreeDifference) -> None:
        """Restore the roles of a group."""
        self._mappings(self._path("group", compared.name), compared)

    def account_roles(self, compared: Compared, _: TreeDifference) -> None:
        """Restore the roles of a service account."""
        client = self._clients[compared.found["serviceAccountClientId"]]
        user = self.admin.get(f"{self.realm}/clients/{client}/service-account-user")["id"]
        self._mappings(f"{self.realm}/users/{user}", compared)

    def _mappings(self, holder: str, compared: Compared) -> None:
        asked, held = (
            set(_parts({"realm": side.get("realmRoles", ()), "client": side.get("clientRoles", {})}))
            for side in (compared.expected, compared.found)
        )
        for client, role in sorted(held - asked):
            self.admin.delete(self._mapping(holder, client), [self._role(client, role)])
        for client, role in sorted(asked - held):
            self.admin.post(self._mapping(holder, client), [self._role(client, role)])

    def scope_mappings(self, compared: Compared, _: TreeDifference) -> None:
        """Restore the roles that a client or a client scope may pass on."""
        holder = self._path(compared.kind, compared.name)
        asked, held = (
            {("" if c == "realm" else c, r) for c, roles in side.get("scopeMappings", {}).items() for r in roles}
            for side in (compared.expected, compared.found)
        )
        for client, role in sorted(held - asked):
            self.admin.delete(self._mapping(holder, client, "scope-mappings"), [self._role(client, role)])
        for client, role in sorted(asked - held):
            self.admin.post(self._mapping(holder, client, "scope-mappings"), [self._role(client, role)])

    def _mapping(self, holder: str, client: str, kind: str = "role-mappings") -> str:
        return f"{holder}/{kind}/clients/{self._clients[client]}" if client else f"{holder}/{kind}/realm"

    def _role(self, client: str, name: str) -> Any:
        return self.admin.get(self._path("client role", f"{client}/{name}") if client else self._path("role", name))

    def _demote(self, compared: Compared) -> None:
        user = next(u["id"] for u in self.admin.get(f"{self.realm}/users", username=compared.name, exact=True))
        for shown in compared.found:
            client, _, role = shown.rpartition("/")
            self.admin.delete(self._mapping(f"{self.realm}/users/{user}", client), [self._role(client, role)])

    def _policies(self, compared: Compared, remove: bool = False) -> None:
        """Write all client profiles or policies: Keycloak has one request for the list."""
        listed = "profiles" if compared.kind == "client profile" else "policies"
        path = f"{self.realm}/client-policies/{listed}"
        live = [p for p in self.admin.get(path)[listed] if p["name"] != compared.name]
        self.admin.put(path, {listed: live})


_Change = Callable[[Restoration, Compared, TreeDifference], None]
_ROLE: dict[str, _Change] = {"composites": Restoration.composites, "composite": Restoration.composite_flag}
_PARTS: dict[str, dict[str, _Change]] = {
    "client": {
        _MAPPERS: Restoration.mapper,
        "scopeMappings": Restoration.scope_mappings,
        **dict.fromkeys(_SCOPES, Restoration.client_scopes),
    },
    "client scope": {_MAPPERS: Restoration.mapper, "scopeMappings": Restoration.scope_mappings},
    "identity provider": {"mappers": Restoration.provider_mapper},
    "role": _ROLE,
    "client role": _ROLE,
    "group": dict.fromkeys(("realmRoles", "clientRoles"), Restoration.group_roles),
    "service account": dict.fromkeys(("realmRoles", "clientRoles"), Restoration.account_roles),
    "login flow": {"steps": Restoration.step},
    REALM: {
        "defaultGroups": Restoration.default_groups,
        "localizationTexts": Restoration.texts,
        **dict.fromkeys(_REALM_SCOPES, Restoration.realm_scopes),
    },
}


def _paths(groups: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for group in groups:
        yield group["path"], group["id"]
        yield from _paths(group.get("subGroups") or ())


def _parts(roles: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield from (("", name) for name in roles.get("realm", ()))
    yield from ((client, name) for client, names in roles.get("client", {}).items() for name in names)


def _mapper(name: str, wanted: Mapping[str, Any]) -> Tree:
    config = {k: v for k, v in wanted.items() if k not in ("kind", "protocol", "consentRequired")}
    return {"name": name, "protocol": wanted["protocol"], "protocolMapper": wanted["kind"], "config": config}


def _joined(body: Mapping[str, Any]) -> Tree:
    """Return a representation whose attributes are texts again."""
    attributes = {
        k: _LIST_SEPARATOR.join(v) if isinstance(v, list) else v for k, v in body.get("attributes", {}).items()
    }
    return {**body, "attributes": attributes} if attributes else dict(body)


def _set(body: Any, difference: TreeDifference, keeps: bool) -> None:
    """Write the expected value of a difference into a representation."""
    *parents, last = difference.path
    for key in parents:
        body = body.setdefault(key, {})
    value = difference.expected
    if value is None:
        if parents and not keeps:
            body.pop(last, None)
            return
        value = {str: "", list: [], bool: False, dict: {}}.get(type(difference.found), "")
        if last == "authenticationFlowBindingOverrides":
            value = dict.fromkeys(difference.found, "")
    elif isinstance(value, list) and "attributes" in parents:
        value = _LIST_SEPARATOR.join(value)
    body[last] = value
