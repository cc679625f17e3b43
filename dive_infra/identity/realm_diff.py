"""What `comparison` found, as findings: object by object, with the command that restores or removes it."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import REMOVE
from dive_infra.config.naming import Names
from dive_infra.identity import desired_realm, key_providers
from dive_infra.identity.comparison import Compared, Live, compare_all, compare_realm, live
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.link_policy import link_account
from dive_infra.identity.pristine import MASTER
from dive_infra.identity.realm_export import Tree, normal
from dive_infra.identity.realm_keys import Recorded, compare_keys
from dive_infra.identity.restoration import restores
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy

_BY_HAND = f"restore it in Keycloak's console, then {UP}"
# kind of object -> error code
_CODES = {"identity provider": Code.FEDERATION_LINK, "client scope": Code.SCOPES}


def compare(
    admin: KeycloakAdmin,
    names: Names,
    partners: Sequence[Names],
    beside: Sequence[str] = (),
    keys: Recorded | None = None,
) -> list[Finding]:
    """Return one finding for each object that must exist, and one for each that must not.

    A spoke's `partners` is the hub, and the link must exist. The hub's are the countries it approves; their own stacks
    write their links, so a difference there names the stack that repairs it, and is advisory. `beside`: the server's
    other realms; `keys`: those that are recorded, if any are. Raises `KeycloakError`.
    """
    server = live(admin, names)
    compared = compare_all(server, names, partners, beside)
    lent, departed = _lent(names, partners), _departed(names)
    found = [_finding(c, names, lent.get(c.name), departed) for c in compared if not (c.missing and c.name in lent)]
    return [*found, *compare_recorded(admin, names, server, keys or {})]


def compare_recorded(admin: KeycloakAdmin, names: Names, server: Live, keys: Recorded) -> list[Finding]:
    """Compare the keys in force with the recorded ones; raises `KeycloakError`."""
    found = key_providers.read_beside(admin, names, server) if keys else {}
    return [
        finding
        for realm, live_keys in found.items()
        for finding in compare_keys(realm, names.country.code, keys.get(realm, ()), live_keys)
    ]


def compare_link(admin: KeycloakAdmin, hub: Names, spoke: Names) -> list[Finding]:
    """Compare the hub's side of a spoke's link, as the spoke sees it through the hub. Raises `KeycloakError`."""
    realm = f"/realms/{hub.realm}"
    path = f"{realm}/identity-provider/instances/{spoke.idp_alias}"
    export: dict[str, Any] = {"realm": hub.realm, "clients": admin.get(f"{realm}/clients", clientId=spoke.client)}
    try:
        export |= {"identityProviders": [admin.get(path)], "identityProviderMappers": admin.get(f"{path}/mappers")}
    except NotFound:
        export["identityProviders"] = []
    parts = (("client", spoke.client), ("identity provider", spoke.idp_alias))
    expected, declared = (
        _only(tree, parts) for tree in (desired_realm.expected(hub, [spoke]), desired_realm.declared(hub, [spoke]))
    )
    found = _only(normal(export), parts)
    place = f" of the link at {hub.country.code}"
    compared = list(compare_realm("", expected, declared, found))
    hubs = Remedy.update(hub.country.code)
    return [_described(c, place, refresh(spoke) if c.declared else hubs) for c in compared]


def _only(tree: Tree, parts: Sequence[tuple[str, str]]) -> Tree:
    return {kind: {name: tree[kind][name]} for kind, name in parts if name in tree.get(kind, {})}


def refresh(names: Names) -> Remedy:
    return Remedy.refresh(names.country.code)


def removal(compared: Compared) -> str:
    """Return the name of an undeclared object in `DIVE_REMOVE`: `identity-provider/name`, `master/client/name`."""
    place = f"{MASTER}/" if compared.realm == MASTER else ""
    return f"{place}{compared.kind.replace(' ', '-')}/{compared.name}"


def _lent(names: Names, partners: Sequence[Names]) -> dict[str, Names]:
    """Return the objects of our realm that another country's stack owns, with that country."""
    return {name: p for p in partners if names.country.is_hub for name in (p.client, p.idp_alias)}


def _departed(names: Names) -> set[str]:
    """Return, at the hub, the accounts of countries it does not approve; an update deletes dropped ones last."""
    return {link_account(names.of(c)) for c in COUNTRIES.values()} if names.country.is_hub else set()


def _finding(compared: Compared, names: Names, lender: Names | None, departed: set[str]) -> Finding:
    place = f" of realm {MASTER}" if compared.realm == MASTER else ""
    if compared.extra:
        return _extra(compared, place, names, departed)
    if lender is not None and compared.declared:
        return _described(compared, place, refresh(lender), advisory=True)
    if compared.declared:
        return _described(compared, place, refresh(names))
    remedy = Remedy.update() if restores(compared) else Remedy.decide(_BY_HAND, country=names.country.code)
    return _described(compared, place, remedy)


def _described(compared: Compared, place: str, remedy: Remedy, advisory: bool = False) -> Finding:
    kind, name = compared.kind, f"{compared.name}{place}"
    code, subject = _CODES.get(kind, Code.REALM), f"{kind} {name}"
    if compared.missing:
        found = "no such realm" if kind == "realm" else "missing"
        return Finding(
            f"{subject} exists", Verdict.INVALID, "", found, remedy, code=code, subject=subject, advisory=advisory
        )
    sentence = f"{subject} is as declared"
    if not compared.differences:
        return Finding(sentence, Verdict.VALID)
    expected = "; ".join(f"{'.'.join(d.path)}: {d.expected}" for d in compared.differences)
    found = "; ".join(f"{'.'.join(d.path)}: {d.found}" for d in compared.differences)
    return Finding(sentence, Verdict.INVALID, expected, found, remedy, code=code, subject=subject, advisory=advisory)


def _extra(compared: Compared, place: str, names: Names, departed: set[str]) -> Finding:
    subject, code = f"{compared.kind} {compared.name}{place}", names.country.code
    if compared.name in departed:
        remedy = Remedy.update(code, "removes it at its end")
        found = "found, though its country is not approved"
        sentence = f"{subject} is gone with its country"
        return Finding(sentence, Verdict.INVALID, "", found, remedy, advisory=True, subject=subject)
    remedy = NO_REMEDY
    if compared.loose:
        named = f"{REMOVE}={shlex.quote(removal(compared))} {UP}"
        remedy = Remedy.decide(f"remove it by hand, or: {named}", country=code)
    return Finding(
        f"{subject} is declared",
        Verdict.INVALID,
        "",
        _shown(compared),
        remedy or refresh(names),
        code=_CODES.get(compared.kind, Code.REALM),
        subject=subject,
        undeclared=True,
    )


def _shown(compared: Compared) -> str:
    if compared.kind == "administrator":
        return f"holds {', '.join(_few(compared.found))}; found but not declared"
    return "found but not declared"


def _few(roles: Sequence[str] | Mapping[str, Any]) -> list[str]:
    names = list(roles)
    return [*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else names
