"""What a country's Keycloak must hold, in normal form: what its version ships, with the tables laid over it.

`declared` is what Pulumi's resources write, so a refresh restores it; `expected` is everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity import link_data, realm_data
from dive_infra.identity.pristine import MASTER, Pristine, pristine
from dive_infra.identity.realm_data import OIDC, Json, Mapper
from dive_infra.identity.realm_export import Tree, normal
from dive_infra.identity.tree_diff import overlaid

# What Pulumi's Keycloak provider writes where the program is silent: its own defaults, which a refresh restores.
_PROVIDERS_CLIENT = {
    "backchannel.logout.revoke.offline.tokens": "false",
    "backchannel.logout.session.required": "true",
    "client_credentials.use_refresh_token": "false",
    "display.on.consent.screen": "false",
    "exclude.issuer.from.auth.response": "false",
    "exclude.session.state.from.auth.response": "false",
    "oauth2.device.authorization.grant.enabled": "false",
    "standard.token.exchange.enabled": "false",
    "use.refresh.tokens": "true",
}
_PROVIDERS_PROVIDER = dict.fromkeys(
    (
        *("acceptsPromptNoneForwardFromClient", "disableTypeClaimCheck", "disableUserInfo", "forceAuthn"),
        *("kc.org.broker.redirect.mode.email-matches", "offlineAccess", "postBindingAuthnRequest"),
        *("postBindingLogout", "postBindingResponse", "uiLocales", "userIp", "wantAssertionsEncrypted"),
        *("wantAssertionsSigned", "wantAuthnRequestsSigned"),
    ),
    "false",
)
_PROVIDERS_SCOPE = {"include.in.token.scope": "false", "display.on.consent.screen": "false"}
_PROVIDERS_HEADERS = {"xXSSProtection": "1; mode=block"}


def declared(names: Names, partners: Sequence[Names]) -> Tree:
    """Return what the country's stack declares in its realm."""
    brokers = [link_data.broker_client(names, partner) for partner in partners]
    clients: list[Json] = [_portal(names), realm_data.backend_client(names), *brokers]
    providers = [link_data.identity_provider(names, partner) for partner in partners]
    export: Json = {
        "realm": names.realm,
        **realm_data.representation(names),
        "defaultDefaultClientScopes": list(realm_data.DEFAULT_SCOPES),
        "clients": [_with(c, "attributes", _PROVIDERS_CLIENT) for c in clients],
        "clientScopes": [_scope(name, mappers) for name, mappers in realm_data.SCOPES.items()],
        "roles": {"realm": [{"name": n, "description": text} for n, text in realm_data.ROLES.items()]},
        "groups": [{"name": group, "realmRoles": [role]} for group, role in realm_data.GROUPS.items()],
        "authenticationFlows": [_FIRST_LOGIN],
        "identityProviders": [_with(p, "config", _PROVIDERS_PROVIDER) for p in providers],
        "identityProviderMappers": [m for partner in partners for m in _provider_mappers(partner)],
    }
    tree = normal(export)
    realm = tree["realm"][names.realm]
    realm["defaultSignatureAlgorithm"] = None  # the provider clears it; RS256 is Keycloak's default
    realm["browserSecurityHeaders"] |= _PROVIDERS_HEADERS
    tree["user profile"] = {"settings": {}}
    tree["user attribute"] = {name: _unnamed(row) for name, row in realm_data.profile().items()}
    tree["group of attributes"] = {name: _unnamed(row) for name, row in realm_data.profile_groups().items()}
    tree["role"][f"default-roles-{names.realm}"] = {
        "composites": {"realm": list(realm_data.DEFAULT_ROLES), "client": None}
    }
    return tree


def expected(names: Names, partners: Sequence[Names]) -> Tree:
    """Return everything that the country's realm must hold."""
    ships = pristine(names.realm)
    wanted = declared(names, partners)
    tree = dict(ships.realm)
    for kind, held in wanted.items():
        new = {
            name: _new(ships, kind, name, object_) for name, object_ in held.items() if name not in tree.get(kind, {})
        }
        tree[kind] = overlaid({**tree.get(kind, {}), **new}, held)
    account = {**ships.new["service account"], "serviceAccountClientId": realm_data.BACKEND_CLIENT}
    tree["service account"] = {f"service-account-{realm_data.BACKEND_CLIENT}": account}
    return tree


def expected_master(realms: Iterable[str]) -> Tree:
    """Return everything that the realm master must hold on a server with these other realms."""
    tree: Tree = pristine(MASTER).master
    for realm in realms:
        tree = overlaid(tree, pristine(realm).managed)
    return tree


def _new(ships: Pristine, kind: str, name: str, wanted: Tree) -> Tree:
    """Return a new object as Keycloak makes it when only its name is given."""
    new: Tree = ships.new.get(kind, {})
    if kind == "client":
        # A client gets the default scopes of its realm when it is created.
        new = ships.new["account"] if wanted.get("serviceAccountsEnabled") else new
        return {**new, "defaultClientScopes": sorted({*new["defaultClientScopes"], *realm_data.SCOPES})}
    if kind == "group":
        return {**new, "path": f"/{name}"}
    if kind == "login flow":
        return {**new, "steps": dict.fromkeys(wanted["steps"], ships.new["login step"])}
    return new


def _portal(names: Names) -> Json:
    return {**realm_data.portal_client(names), "protocolMappers": _mappers(realm_data.PORTAL_MAPPERS)}


def _with(representation: Json, key: str, defaults: Mapping[str, str]) -> Json:
    own: Any = representation[key]
    return {**representation, key: {**defaults, **own}}


def _scope(name: str, mappers: Sequence[Mapper]) -> Json:
    return {"name": name, "attributes": _PROVIDERS_SCOPE, "protocolMappers": _mappers(mappers)}


def _mappers(mappers: Sequence[Mapper]) -> list[Json]:
    return [{"name": m.name, "protocol": OIDC, "protocolMapper": m.kind, "config": dict(m.config)} for m in mappers]


def _provider_mappers(of: Names) -> list[Json]:
    return [
        {
            "name": m.name,
            "identityProviderAlias": of.idp_alias,
            "identityProviderMapper": m.kind,
            "config": dict(m.config),
        }
        for m in link_data.identity_provider_mappers(of)
    ]


_FIRST_LOGIN: Json = {
    "alias": realm_data.FIRST_LOGIN_FLOW,
    "description": realm_data.FIRST_LOGIN_PURPOSE,
    "providerId": "basic-flow",
    "authenticationExecutions": [{"authenticator": "idp-create-user-if-unique", "requirement": "REQUIRED"}],
}


def _unnamed(row: Mapping[str, Any]) -> Tree:
    return {k: v for k, v in row.items() if k != "name"}
