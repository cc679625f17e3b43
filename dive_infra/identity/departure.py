"""The end of a federation link in a country's own realm: no one logs in through it from this moment.

The link's objects are disabled, not deleted: Pulumi, which created them, deletes them at the end of its update.
"""

from contextlib import suppress

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import federated_users
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound


def retired_accounts(own: Names) -> set[str]:
    """Return the hub's clients with which spokes managed their links, until each hub was updated once."""
    if not own.country.is_hub:
        return set()
    return {f"dive-link-{which}" for which in ("gateway", *(country.lower for country in COUNTRIES.values()))}


def disable_client(admin: KeycloakAdmin, own: Names, client_id: str) -> None:
    """Disable a client of the realm, if it exists; raises `KeycloakError`."""
    realm = f"/realms/{own.realm}"
    for client in admin.get(f"{realm}/clients", clientId=client_id):
        admin.put(f"{realm}/clients/{client['id']}", {**client, "enabled": False})


def end_link(admin: KeycloakAdmin, own: Names, partner: Names) -> None:
    """Disable the realm's side of the link with `partner`, and delete the accounts of its people with their sessions.

    Raises `KeycloakError`; what does not exist is no error.
    """
    realm = f"/realms/{own.realm}"
    provider = f"{realm}/identity-provider/instances/{partner.idp_alias}"
    with suppress(NotFound):  # first, so that no login creates another account
        admin.put(provider, {**admin.get(provider), "enabled": False})
    with suppress(NotFound):
        disable_client(admin, own, partner.client)
        federated_users.forget(admin, own.realm, federated_users.known(admin, own.realm, partner.idp_alias))
