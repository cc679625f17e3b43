"""People of a partner as they are known here: accounts that a login through the link has made, under its alias.

Everything in them is written anew at each login, so they may go at any time. They must go with their link: Keycloak
forgets who belongs to a link that is removed, and then refuses these people as strangers with a name that is taken.
"""

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_data import Json

_PAGE = 500


def known(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """user name -> id of every account that the link `alias` has made."""
    return {str(u["username"]): str(u["id"]) for u in _pages(admin, realm, search=f"{alias}.*") if _of(u, alias)}


def stranded(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Those of them that Keycloak no longer ties to the link."""
    tied = {str(u["username"]) for u in _pages(admin, realm, idpAlias=alias)}
    return {name: id_ for name, id_ in known(admin, realm, alias).items() if name not in tied}


def forget(admin: KeycloakAdmin, realm: str, accounts: dict[str, str]) -> None:
    """Removes the accounts; one that is gone already is no error.

    Keycloak remembers who came through a link, and does not forget it with an account that has lost the link before:
    its owner would be made anew at the next login, and refused at every one after that.
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
