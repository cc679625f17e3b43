"""Which objects of the hub's realm a country may write: exactly its side of its link, as tabled.

Keycloak grants the management of identity providers for a whole realm only, and whoever has it can make himself the
realm's administrator (by a mapper that hands out the role). So a country gets an account without any role, and the
hub's backend carries out for it what this policy lists, and nothing else.
"""

import json
from collections.abc import Sequence

from dive_infra.config.naming import Names
from dive_infra.identity import link_data
from dive_infra.identity.realm_data import Json

GATEWAY = "dive-link-gateway"  # the backend's service account in the hub's realm
# `manage-users` for the accounts that a link has made and that go with it, `manage-realm` to clear what Keycloak still
# remembers of them: no narrower role may.
GATEWAY_ROLES = ("manage-clients", "manage-identity-providers", "manage-users", "manage-realm")
BASE_PATH = "/api/link"
VERSION = "26.7.4"  # the admin API that the provider is to speak; Keycloak tells it to realm administrators only


def link_account(spoke: Names) -> str:
    """The country's service account in the hub's realm; it has no role."""
    return f"dive-link-{spoke.country.lower}"


def policy(hub: Names, spokes: Sequence[Names]) -> str:
    """JSON for the hub's backend: where its Keycloak is, and for each country's account the objects of its link."""
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
