"""The roles of a service account in its realm: exactly the given roles of `realm-management`, and no others."""

from collections.abc import Sequence

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_data import REALM_MANAGEMENT
from dive_infra.results.remedy import Remedy


def roles(admin: KeycloakAdmin, realm: str, client_id: str) -> set[str]:
    """Return the administrator's roles of the account, and its other ones as `client/role` or `realm/role`.

    Roles that every account of the realm has by default do not count. Raises `KeycloakError`.
    """
    held = admin.get(f"/realms/{realm}/users/{_account(admin, realm, client_id)}/role-mappings")
    of_clients = {
        role["name"] if client == REALM_MANAGEMENT else f"{client}/{role['name']}"
        for client, mapping in held.get("clientMappings", {}).items()
        for role in mapping["mappings"]
    }
    of_realm = {f"realm/{r['name']}" for r in held.get("realmMappings", ()) if r["name"] != f"default-roles-{realm}"}
    return of_clients | of_realm


def set_roles(admin: KeycloakAdmin, realm: str, client_id: str, wanted: Sequence[str]) -> None:
    """Give the account these roles of `realm-management` and take every other role away."""
    mappings = f"/realms/{realm}/users/{_account(admin, realm, client_id)}/role-mappings"
    default = f"default-roles-{realm}"
    held = admin.get(mappings)
    if extra := [r for r in held.get("realmMappings", ()) if r["name"] != default]:
        admin.delete(f"{mappings}/realm", extra)
    for client, mapping in held.get("clientMappings", {}).items():
        kept = wanted if client == REALM_MANAGEMENT else ()
        if extra := [r for r in mapping["mappings"] if r["name"] not in kept]:
            admin.delete(f"{mappings}/clients/{mapping['id']}", extra)
    management = _client(admin, realm, REALM_MANAGEMENT)
    asked = [admin.get(f"/realms/{realm}/clients/{management}/roles/{role}") for role in wanted]
    if asked:
        admin.post(f"{mappings}/clients/{management}", asked)


def _client(admin: KeycloakAdmin, realm: str, client_id: str) -> str:
    for found in admin.get(f"/realms/{realm}/clients", clientId=client_id):
        return str(found["id"])
    raise NotFound(f"client {client_id} is missing in realm {realm}", Remedy.refresh())


def _account(admin: KeycloakAdmin, realm: str, client_id: str) -> str:
    client = _client(admin, realm, client_id)
    return str(admin.get(f"/realms/{realm}/clients/{client}/service-account-user")["id"])
