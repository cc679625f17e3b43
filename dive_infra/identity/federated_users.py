"""A partner's users in this realm: accounts that a login through the link has created, under its alias.

Each login writes everything in them again, so they may be deleted at any time. They must be deleted with their link:
Keycloak forgets who belongs to a removed link, and then refuses these users as strangers whose name is taken.

An account is named `<alias>.<user name at home>.<subject>` (`link_data`).
"""

import re

from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_data import Json

_PAGE = 500
_SUBJECT = re.compile(r"\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def known(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Return user name -> id of every account that the link `alias` has created."""
    return {str(u["username"]): str(u["id"]) for u in _pages(admin, realm, search=f"{alias}.*") if _of(u, alias)}


def stranded(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Return those of them that Keycloak no longer ties to the link."""
    tied = {str(u["username"]) for u in _pages(admin, realm, idpAlias=alias)}
    return {name: id_ for name, id_ in known(admin, realm, alias).items() if name not in tied}


def superseded(admin: KeycloakAdmin, realm: str, alias: str) -> dict[str, str]:
    """Return those of them whose owner was deleted and recreated at home.

    A user name belongs to one person of a realm at a time: of accounts with the same one, only the newest is in use.
    No other country is asked. A person who has another user name at home by now is recreated by the next login.
    """
    by_name: dict[str, dict[str, str]] = {}
    for name, id_ in known(admin, realm, alias).items():
        by_name.setdefault(_SUBJECT.sub("", name), {})[name] = id_
    old: dict[str, str] = {}
    for accounts in by_name.values():
        if len(accounts) > 1:
            made = {
                n: int(admin.get(f"/realms/{realm}/users/{id_}")["createdTimestamp"]) for n, id_ in accounts.items()
            }
            newest = max(made, key=lambda name: made[name])
            old |= {name: id_ for name, id_ in accounts.items() if name != newest}
    return old


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
