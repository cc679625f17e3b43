"""End at once what a partner can do in a country's realm.

An update deletes the objects of the link (`components.federation_link`); until then they are disabled.
"""

from dive_infra.config.naming import Names
from dive_infra.identity import federated_users, users
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound


def cut_off(admin: KeycloakAdmin, own: Names, partner: Names) -> int:
    """Disable the own side of the link, and delete the accounts that it has created; return how many.

    The partner's people cannot log in any more, and their sessions and refresh tokens are gone with their accounts, as
    is the probe person whose password the partner knows. The own people cannot log in at the partner any more. What is
    missing is no error. Raises `KeycloakError`.
    """
    realm = f"/realms/{own.realm}"
    clients = [f"{realm}/clients/{found['id']}" for found in admin.get(f"{realm}/clients", clientId=partner.client)]
    for path in (f"{realm}/identity-provider/instances/{partner.idp_alias}", *clients):
        try:
            admin.put(path, admin.get(path) | {"enabled": False})
        except NotFound:
            continue
    users.remove(admin, own, [users.probe(own, partner.country)])
    accounts = federated_users.known(admin, own.realm, partner.idp_alias)
    federated_users.forget(admin, own.realm, accounts)
    return len(accounts)
