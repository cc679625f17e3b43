"""What a country's realm must hold beside Keycloak's own objects: by kind and name, with the mappers inside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity import link_data, realm_data
from dive_infra.identity.link_policy import GATEWAY, link_account
from dive_infra.identity.realm_data import REALM_MANAGEMENT

Wanted = dict[str, dict[str, Any]]

KEYCLOAKS_CLIENTS = frozenset(
    ("account", "account-console", "admin-cli", "broker", REALM_MANAGEMENT, "security-admin-console")
)
KEYCLOAKS_SCOPES = frozenset(
    (
        *("acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile"),
        *("roles", "service_account", "web-origins", "AuthnContextClassRef", "role_list", "saml_organization"),
    )
)
KEYCLOAKS_ROLES = frozenset(("offline_access", "uma_authorization"))
FLOW_STEPS = ("idp-create-user-if-unique REQUIRED",)

_ACCOUNT = {"serviceAccountsEnabled": True, "standardFlowEnabled": False}


def clients(names: Names, partners: Sequence[Names]) -> Wanted:
    """Return the portal, the backend, the broker of each partner, and at the hub the accounts that manage links."""
    scopes = {"defaultClientScopes": realm_data.DEFAULT_SCOPES}
    portal = {**realm_data.portal_client(names), "protocolMappers": mappers(realm_data.PORTAL_MAPPERS)}
    wanted: Wanted = {
        names.client: portal | scopes,
        realm_data.BACKEND_CLIENT: dict(realm_data.backend_client(names)),
    }
    for partner in partners:
        wanted[partner.client] = {**link_data.broker_client(names, partner), "protocolMappers": {}} | scopes
    if names.country.is_hub:
        wanted |= {account: dict(_ACCOUNT) for account in (GATEWAY, *map(link_account, partners))}
    return wanted


def providers(names: Names, partners: Sequence[Names]) -> Wanted:
    return {partner.idp_alias: provider(names, partner) for partner in partners}


def provider(at: Names, of: Names) -> dict[str, Any]:
    """Return the identity provider of `of` in at's realm, with its mappers."""
    return {**link_data.identity_provider(at, of), "mappers": mappers(link_data.identity_provider_mappers(of))}


def scopes() -> Wanted:
    return {scope: {"protocolMappers": mappers(held)} for scope, held in realm_data.SCOPES.items()}


def roles(names: Names) -> tuple[Wanted, frozenset[str]]:
    """Return our roles and Keycloak's own."""
    return {role: {} for role in realm_data.ROLES}, KEYCLOAKS_ROLES | {f"default-roles-{names.realm}"}


def groups() -> Wanted:
    return {group: {"roles": [role]} for group, role in realm_data.GROUPS.items()}


def mappers(declared: Iterable[realm_data.Mapper]) -> dict[str, dict[str, str]]:
    return {m.name: {"kind": m.kind, **m.config} for m in declared}


def by(objects: Any, key: str) -> dict[str, Any]:
    return {o[key]: o for o in objects}


def mapped(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return a live client or scope with its mappers by name, as in the tables."""
    found = live.get("protocolMappers") or []
    return {**live, "protocolMappers": {m["name"]: {"kind": m["protocolMapper"], **m["config"]} for m in found}}


def brokered(live: Mapping[str, Any], held: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a live identity provider with its mappers by name, without its masked secret."""
    config = {k: v for k, v in live["config"].items() if k != "clientSecret"}
    return {**live, "config": config, "mappers": {m["name"]: _flat(m) for m in held}}


def _flat(mapper: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": mapper["identityProviderMapper"], **mapper["config"]}
