"""The live realm against the tables it was declared from: what is missing, extra or different, object by object."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dive_infra.findings import Finding
from dive_infra.identity import link_data, realm_data
from dive_infra.identity.admin import Admin, NotThere
from dive_infra.identity.link_policy import GATEWAY, link_account
from dive_infra.identity.realm_data import REALM_MANAGEMENT
from dive_infra.naming import Names

_REMEDY = "pulumi up --refresh"
# kind of object -> error code
_CODES = {"identity provider": 1301, "client scope": 1307}
_CODE = 1305
# What Keycloak puts into every realm.
_KEYCLOAKS_CLIENTS = frozenset(
    ("account", "account-console", "admin-cli", "broker", REALM_MANAGEMENT, "security-admin-console")
)
_KEYCLOAKS_SCOPES = frozenset(
    (
        *("acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile"),
        *("roles", "service_account", "web-origins", "AuthnContextClassRef", "role_list", "saml_organization"),
    )
)
_KEYCLOAKS_ROLES = frozenset(("offline_access", "uma_authorization"))


def compare(admin: Admin, names: Names, partners: Sequence[Names]) -> list[Finding]:
    """One finding for each object that should be there, and one for each that should not.

    A spoke's `partners` is the hub, and the link must be there. The hub's are the countries it approves; their links
    are written by their own stacks, so each may be missing, but what is there must be right. Raises `AdminError`.
    """
    return _Inspection(admin, names, partners).findings()


class _Inspection:
    def __init__(self, admin: Admin, names: Names, partners: Sequence[Names]) -> None:
        self.admin, self.names, self.partners = admin, names, partners
        self.realm = f"/realms/{names.realm}"
        self.optional = names.country.is_hub

    def findings(self) -> list[Finding]:
        try:
            live = self.admin.get(self.realm)
        except NotThere:
            return [
                Finding(
                    f"realm {self.names.realm} exists", "invalid", "the realm", "no such realm", _REMEDY, code=_CODE
                )
            ]
        profile = self.admin.get(f"{self.realm}/users/profile")
        policy = profile.get("unmanagedAttributePolicy", "DISABLED")
        return [
            _object("realm", self.names.realm, realm_data.representation(self.names), live),
            *self._named("user attribute", realm_data.profile(), _by(profile["attributes"], "name")),
            _object("user profile", "policy", {"unmanaged": "DISABLED"}, {"unmanaged": policy}),
            *self._scopes(),
            *self._roles_and_groups(),
            *self._flow(),
            *self._clients(),
            *self._providers(),
        ]

    def _get(self, path: str, **params: str | int | bool) -> Any:
        return self.admin.get(f"{self.realm}/{path}", **params)

    def _scopes(self) -> Iterable[Finding]:
        live = _by((s for s in self._get("client-scopes") if s["name"] not in _KEYCLOAKS_SCOPES), "name")
        wanted = {s: {"protocolMappers": _mappers(mappers)} for s, mappers in realm_data.SCOPES.items()}
        yield from self._named("client scope", wanted, {k: _mapped(v) for k, v in live.items()})
        found = [s["name"] for s in self._get("default-default-client-scopes")]
        yield _object("default scopes", "list", {"names": realm_data.DEFAULT_SCOPES}, {"names": found})

    def _roles_and_groups(self) -> Iterable[Finding]:
        default = f"default-roles-{self.names.realm}"
        ours = (r for r in self._get("roles") if r["name"] not in _KEYCLOAKS_ROLES | {default})
        yield from self._named("role", {r: {} for r in realm_data.ROLES}, _by(ours, "name"))
        composites = [r["name"] for r in self._get(f"roles/{default}/composites")]
        yield _object("default roles", "list", {"names": realm_data.DEFAULT_ROLES}, {"names": composites})
        groups = _by(self._get("groups"), "name")
        roles = {
            name: {"roles": [r["name"] for r in self._get(f"groups/{group['id']}/role-mappings/realm")]}
            for name, group in groups.items()
        }
        yield from self._named("group", {g: {"roles": [r]} for g, r in realm_data.GROUPS.items()}, roles)

    def _flow(self) -> Iterable[Finding]:
        name = realm_data.FIRST_LOGIN_FLOW
        wanted = {"steps": ["idp-create-user-if-unique REQUIRED"]}
        try:
            steps = self._get(f"authentication/flows/{name}/executions")
        except NotThere:
            return [_missing("login flow", name)]
        found = [f"{step.get('providerId')} {step['requirement']}" for step in steps]
        return [_object("login flow", name, wanted, {"steps": found})]

    def _clients(self) -> Iterable[Finding]:
        names = self.names
        live = _by((c for c in self._get("clients") if c["clientId"] not in _KEYCLOAKS_CLIENTS), "clientId")
        portal = {**realm_data.portal_client(names), "protocolMappers": _mappers(realm_data.PORTAL_MAPPERS)}
        scopes = {"defaultClientScopes": realm_data.DEFAULT_SCOPES}
        wanted = {names.client: portal | scopes, realm_data.BACKEND_CLIENT: realm_data.backend_client(names)}
        optional: set[str] = set()
        for partner in self.partners:
            wanted[partner.client] = link_data.broker_client(names, partner) | {"protocolMappers": {}} | scopes
            if self.optional:
                optional |= {partner.client, link_account(partner)}
                wanted[link_account(partner)] = {"serviceAccountsEnabled": True, "standardFlowEnabled": False}
        if self.optional:
            optional.add(GATEWAY)
            wanted[GATEWAY] = {"serviceAccountsEnabled": True, "standardFlowEnabled": False}
        return self._named("client", wanted, {k: _mapped(v) for k, v in live.items()}, optional)

    def _providers(self) -> Iterable[Finding]:
        live = _by(self._get("identity-provider/instances"), "alias")
        wanted: dict[str, Mapping[str, Any]] = {}
        for partner in self.partners:
            mappers = _mappers(link_data.identity_provider_mappers(partner))
            wanted[partner.idp_alias] = link_data.identity_provider(self.names, partner) | {"mappers": mappers}
        for alias, provider in live.items():
            found = self._get(f"identity-provider/instances/{alias}/mappers")
            provider["mappers"] = {m["name"]: {"kind": m["identityProviderMapper"], **m["config"]} for m in found}
            provider["config"].pop("clientSecret", None)  # masked
        return self._named("identity provider", wanted, live, set(wanted) if self.optional else set())

    def _named(
        self,
        kind: str,
        wanted: Mapping[str, Mapping[str, Any]],
        live: Mapping[str, Mapping[str, Any]],
        optional: Iterable[str] = (),
    ) -> list[Finding]:
        missing = [_missing(kind, n) for n in wanted if n not in live and n not in set(optional)]
        extra = [
            Finding(
                f"{kind} {n} is declared",
                "invalid",
                f"no such {kind}",
                "it is there",
                f"remove it, or: {_REMEDY}",
                code=_CODES.get(kind, _CODE),
            )
            for n in live
            if n not in wanted
        ]
        return [*(_object(kind, n, wanted[n], live[n]) for n in wanted if n in live), *missing, *extra]


def _missing(kind: str, name: str) -> Finding:
    code = _CODES.get(kind, _CODE)
    return Finding(f"{kind} {name} exists", "invalid", f"the {kind}", "missing", _REMEDY, code=code)


def _object(kind: str, name: str, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Finding:
    off = list(_differences(wanted, live, ""))
    answer = Finding(f"{kind} {name} is as declared", "valid")
    if not off:
        return answer
    expected, found = ("; ".join(f"{key}: {pair[side]}" for key, *pair in off) for side in (0, 1))
    return Finding(answer.check, "invalid", expected, found, _REMEDY, code=_CODES.get(kind, _CODE))


def _differences(wanted: Mapping[str, Any], live: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any, Any]]:
    """(key, wanted, found) for each wanted key, and for each unwanted mapper: an extra one changes the tokens."""
    unwanted = set(live) - set(wanted) if prefix.endswith(("appers.", "config.")) else set[str]()
    for key in [*wanted, *sorted(unwanted)]:
        a, b = wanted.get(key), live.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, f"{prefix}{key}.")
        elif _plain(a) != _plain(b):
            yield f"{prefix}{key}", a, b


def _plain(value: Any) -> Any:
    """Keycloak's several spellings of one thing made one: order of lists, `true` as text, unset as empty."""
    if isinstance(value, list | tuple):
        return sorted(map(str, value))
    if isinstance(value, str) and "##" in value:
        return sorted(value.split("##"))
    if value in (None, False, "false", "", {}):
        return ""
    return "true" if value is True else str(value)


def _by(objects: Any, key: str) -> dict[str, Any]:
    return {o[key]: o for o in objects}


def _mappers(mappers: Iterable[realm_data.Mapper]) -> dict[str, dict[str, str]]:
    return {m.name: {"kind": m.kind, **m.config} for m in mappers}


def _mapped(live: Mapping[str, Any]) -> dict[str, Any]:
    found = live.get("protocolMappers") or []
    return {**live, "protocolMappers": {m["name"]: {"kind": m["protocolMapper"], **m["config"]} for m in found}}
