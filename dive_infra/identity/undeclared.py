"""Undeclared things in a country's Keycloak that no resource of Pulumi covers, so that no refresh sees them.

What is part of an object that is declared, or that Keycloak ships, is restored by any update. An object of its own (a
client, a realm, an administrator) may belong to someone: it is removed only if `DIVE_REMOVE` names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dive_infra.config.naming import Names
from dive_infra.identity.comparison import Compared, compare_all, live
from dive_infra.identity.departure import disable_client, retired_accounts
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.identity.realm_diff import removal
from dive_infra.identity.restoration import Restoration, restores


@dataclass(frozen=True)
class UndeclaredObject:
    """`what` is undeclared, and `repair` removes it; `DIVE_REMOVE` must contain its `name`, if it has one."""

    what: str
    repair: Callable[[], object]
    name: str = ""


def undeclared_objects(
    admin: KeycloakAdmin, names: Names, partners: Sequence[Names], beside: Sequence[str] = ()
) -> list[UndeclaredObject]:
    """Return all of them; raises `KeycloakError`. `beside`: the server's other realms."""
    server = live(admin, names)
    restored, removed = [], []  # in this order: Keycloak keeps a login flow that is in use
    for compared in compare_all(server, names, partners, beside):
        realm = compared.realm or compared.name
        restoration = Restoration(admin, realm, server.exports.get(realm, {}))
        where = f"{compared.kind} {compared.name}" + (" of realm master" if compared.realm == "master" else "")
        if _retired(compared, names):
            if compared.found.get("enabled"):  # Pulumi deletes it at the end of its update
                repair = partial(disable_client, admin, names, compared.name)
                restored.append(UndeclaredObject(f"{where} of an earlier version", repair))
        elif compared.extra and compared.uncovered:
            repair = partial(restoration.remove, compared)
            removed.append(UndeclaredObject(where, repair, removal(compared)))
        elif restores(compared):
            parts = ", ".join(".".join(d.path) for d in compared.uncovered)
            what = f"{parts} of {where}" if parts else f"missing {where}"
            restored.append(UndeclaredObject(what, partial(restoration.restore, compared)))
    return restored + removed


def _retired(compared: Compared, names: Names) -> bool:
    ours = compared.extra and compared.realm == names.realm and compared.kind == "client"
    return ours and compared.name in retired_accounts(names)
