"""What `comparison` found, as findings: object by object, with the command that restores or removes it."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import REMOVE
from dive_infra.config.naming import Names
from dive_infra.identity import key_providers
from dive_infra.identity.comparison import Compared, Live, compare_all, live
from dive_infra.identity.departure import retired_accounts
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.identity.pristine import MASTER
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

    The country's side of its link with each of `partners` must exist. `beside`: the server's other realms; `keys`:
    those that are recorded, if any are. Raises `KeycloakError`.
    """
    server = live(admin, names)
    compared = compare_all(server, names, partners, beside)
    found = [_finding(c, names) for c in compared]
    return [*found, *compare_recorded(admin, names, server, keys or {})]


def compare_recorded(admin: KeycloakAdmin, names: Names, server: Live, keys: Recorded) -> list[Finding]:
    """Compare the keys in force with the recorded ones; raises `KeycloakError`."""
    found = key_providers.read_beside(admin, names, server) if keys else {}
    return [
        finding
        for realm, live_keys in found.items()
        for finding in compare_keys(realm, names.country.code, keys.get(realm, ()), live_keys)
    ]


def refresh(names: Names) -> Remedy:
    return Remedy.refresh(names.country.code)


def removal(compared: Compared) -> str:
    """Return the name of an undeclared object in `DIVE_REMOVE`: `identity-provider/name`, `master/client/name`."""
    place = f"{MASTER}/" if compared.realm == MASTER else ""
    return f"{place}{compared.kind.replace(' ', '-')}/{compared.name}"


def _departed(compared: Compared, names: Names) -> bool:
    """Return True for a part of a link that ended: its country is no partner any more, and it is disabled.

    Pulumi deletes at the end of an update, so the proof of the phase still sees it.
    """
    others = [names.of(country) for country in COUNTRIES.values() if country != names.country]
    clients = {o.client for o in others} | retired_accounts(names)
    parts = {"identity provider": {o.idp_alias for o in others}, "client": clients}
    named = compared.realm == names.realm and compared.name in parts.get(compared.kind, ())
    return named and not compared.found.get("enabled")


def _finding(compared: Compared, names: Names) -> Finding:
    place = f" of realm {MASTER}" if compared.realm == MASTER else ""
    if compared.extra:
        return _extra(compared, place, names)
    if compared.declared:
        return _described(compared, place, refresh(names))
    remedy = Remedy.update() if restores(compared) else Remedy.decide(_BY_HAND, country=names.country.code)
    return _described(compared, place, remedy)


def _described(compared: Compared, place: str, remedy: Remedy) -> Finding:
    kind, name = compared.kind, f"{compared.name}{place}"
    code, subject = _CODES.get(kind, Code.REALM), f"{kind} {name}"
    if compared.missing:
        found = "no such realm" if kind == "realm" else "missing"
        return Finding(f"{subject} exists", Verdict.INVALID, "", found, remedy, code=code, subject=subject)
    sentence = f"{subject} is as declared"
    if not compared.differences:
        return Finding(sentence, Verdict.VALID)
    expected = "; ".join(f"{'.'.join(d.path)}: {d.expected}" for d in compared.differences)
    found = "; ".join(f"{'.'.join(d.path)}: {d.found}" for d in compared.differences)
    return Finding(sentence, Verdict.INVALID, expected, found, remedy, code=code, subject=subject)


def _extra(compared: Compared, place: str, names: Names) -> Finding:
    subject, code = f"{compared.kind} {compared.name}{place}", names.country.code
    if _departed(compared, names):
        remedy = Remedy.update(code, "removes it at its end")
        found = "found, disabled"
        sentence = f"{subject} is gone with its country"
        return Finding(sentence, Verdict.INVALID, "", found, remedy, advisory=True, subject=subject)
    remedy = NO_REMEDY
    if compared.uncovered:
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
