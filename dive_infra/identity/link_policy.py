"""Which objects of the hub's realm a country may write: exactly its side of its link, as in the table.

Keycloak grants the management of identity providers only for a whole realm, and whoever has it can become the realm's
administrator (by a mapper that assigns the role). Therefore a country gets an account without any role, and the hub's
backend does for it what this policy lists, and nothing else.
"""

import json
from collections.abc import Sequence

from dive_infra.config.naming import Names
from dive_infra.identity import link_data
from dive_infra.identity.realm_data import SHORT, Json

GATEWAY = "dive-link-gateway"  # the backend's service account in the hub's realm
# `manage-users` for the accounts that a link has made and that go with it, `manage-realm` to clear what Keycloak still
# remembers of them: no narrower role may.
GATEWAY_ROLES = ("manage-clients", "manage-identity-providers", "manage-users", "manage-realm")
BASE_PATH = "/api/link"
VERSION = "26.7.4"  # the admin API that the provider is to speak; Keycloak tells it to realm administrators only


def link_account(spoke: Names) -> str:
    """Return the country's service account in the hub's realm; it has no role."""
    return f"dive-link-{spoke.country.lower}"


def gateway() -> Json:
    """Return the client of the hub backend's account."""
    return _account(GATEWAY, "Link gateway", has_roles=True)


def account(spoke: Names) -> Json:
    """Return the client of the country's account."""
    return _account(link_account(spoke), f"Link of {spoke.country.name}", has_roles=False)


def _account(client_id: str, name: str, has_roles: bool) -> Json:
    return {
        "clientId": client_id,
        "name": name,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "fullScopeAllowed": has_roles,
        "attributes": {"access.token.lifespan": SHORT},
    }


def policy(hub: Names, spokes: Sequence[Names]) -> str:
    """Return JSON for the hub's backend: the address of its Keycloak, and the objects that each account may write."""
    countries = {link_account(spoke): _objects(hub, spoke) for spoke in spokes}
    return json.dumps(
        {
            "keycloak": hub.url("keycloak"),
            "version": VERSION,
            "realm": hub.realm,
            "gateway": GATEWAY,
            "countries": countries,
        },
        indent=1,
        sort_keys=True,
    )


def _objects(hub: Names, spoke: Names) -> Json:
    return {
        "client": link_data.broker_client(hub, spoke),
        "provider": link_data.identity_provider(hub, spoke),
        "mappers": {
            m.name: {"identityProviderMapper": m.kind, "config": dict(m.config)}
            for m in link_data.identity_provider_mappers(spoke)
        },
    }
