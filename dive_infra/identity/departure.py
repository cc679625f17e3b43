"""The end of a federation link in a country's own realm: nobody logs in through it from this moment.

The link's objects are disabled, not deleted: Pulumi, which created them, deletes them at the end of its update.
"""

from contextlib import suppress

from dive_infra.config.naming import Names
from dive_infra.identity import federated_users
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound


def end_link(admin: KeycloakAdmin, own: Names, partner: Names) -> None:
    """Disable the realm's side of the link with `partner`, and delete the accounts of its people with their sessions.

    Raises `KeycloakError`; what does not exist is no error.
    """
    realm = f"/realms/{own.realm}"
    provider = f"{realm}/identity-provider/instances/{partner.idp_alias}"
    with suppress(NotFound):  # first, so that no login creates another account
        admin.put(provider, {**admin.get(provider), "enabled": False})
    with suppress(NotFound):
        for client in admin.get(f"{realm}/clients", clientId=partner.client):
            admin.put(f"{realm}/clients/{client['id']}", {**client, "enabled": False})
        federated_users.forget(admin, own.realm, federated_users.known(admin, own.realm, partner.idp_alias))
