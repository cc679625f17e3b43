"""A partner's users in this realm: accounts that a login through the link has created, under its alias.

Each login writes everything in them again, so they may be deleted at any time. They must be deleted with their link:
Keycloak forgets who belongs to a removed link, and then refuses these users as strangers whose name is taken.
"""

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_data import Json

_PAGE = 500


def known(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Return user name -> id of every account that the link `alias` has created."""
    return {str(u["username"]): str(u["id"]) for u in _pages(admin, realm, search=f"{alias}.*") if _of(u, alias)}


def stranded(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Return those of them that Keycloak no longer ties to the link."""
    tied = {str(u["username"]) for u in _pages(admin, realm, idpAlias=alias)}
    return {name: id_ for name, id_ in known(admin, realm, alias).items() if name not in tied}


def forget(admin: KeycloakAdmin, realm: str, accounts: dict[str, str]) -> None:
    """Delete the accounts; a missing one is no error.

    Keycloak remembers who came through a link, even after an account that had lost its link is deleted: the next login
    would create its owner again, and every later login would be refused.
    """
    for user in accounts.values():
        try:
            admin.delete(f"/realms/{realm}/users/{user}")
        except NotFound:
            continue
    if accounts:
        admin.post(f"/realms/{realm}/clear-user-cache", {})


def _of(user: Json, alias: str) -> bool:
    return str(user["username"]).startswith(f"{alias}.")


def _pages(admin: KeycloakAdmin, realm: str, **query: str) -> list[Json]:
    found: list[Json] = []
    while True:
        page = admin.get(f"/realms/{realm}/users", briefRepresentation=True, first=len(found), max=_PAGE, **query)
        found += page
        if len(page) < _PAGE:
            return found
