"""VERIFICATION: users from each country can log in at the other, and get the documents that the policy permits."""

from collections import defaultdict
from functools import partial
from threading import Lock
from typing import Any

import httpx

from dive_infra.checks import decisions, deployment, key_release, login_page, objects
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import Party, VerificationSpec
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import REALM_REQUEST
from dive_infra.identity import https, users
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.clearances import LEVELS
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError
from dive_infra.identity.login import PortalSession, login
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.seeds.documents import CORNERSTONES
from dive_infra.seeds.documents import documents as seeded

_TURNS = defaultdict[str, Lock](Lock)  # issuer -> held while its user logs in: countries are checked side by side
_USER, _CLEARANCE = 3, "CONFIDENTIAL"  # testuser-<c>-3 has no community of interest
_REFUSALS = 3


def checks(spec: VerificationSpec) -> list[Check]:
    """Return all checks, the real logins included: a login takes some seconds."""
    return [*shallow_checks(spec), *deployment.checks(spec.deployment)[1:], *logins(spec)]


def logins(spec: VerificationSpec) -> list[Check]:
    """Return the real logins, at home and both ways with each partner, with the decisions after them."""
    people = defaultdict[str, _Person](_Person)
    return [
        Check(
            _sentence(where.names, whose.names),
            "logins",
            partial(people[whose.names.country.code].visit, spec, where, whose),
            subject=f"login of users from {whose.names.country.code} at {where.names.country.code}",
        )
        for where, whose in _visits(spec)
    ]


def shallow_checks(spec: VerificationSpec) -> list[Check]:
    """Return the checks that are cheap enough for every preview."""
    running = Check(
        "every declared container runs and is healthy",
        "containers",
        lambda: deployment.containers(spec.deployment.containers),
    )
    return [running, *working(spec)]


def working(spec: VerificationSpec) -> list[Check]:
    """Return the checks that the country can do its work, without real logins: each takes less than 0.2 s."""
    own = spec.own.names
    return [
        *issuers(spec),
        *lockouts(spec),
        *login_page.checks(own, [partner.names for partner in spec.partners], spec.ca),
        *decisions.checks(spec.deployment),
        *key_release.checks(own, spec.ca),
    ]


def issuers(spec: VerificationSpec) -> list[Check]:
    """Return the checks that each country's Keycloak answers with the issuer that all others expect."""
    return [
        Check(
            f"Keycloak of {p.names.country.code} reports the expected issuer",
            "discovery",
            partial(discovery, p.names, spec.ca),
            subject=f"issuer of {p.names.country.code}",
        )
        for p in (spec.own, *spec.partners)
    ]


def lockouts(spec: VerificationSpec) -> list[Check]:
    """Return the check that the own user may log in: anyone can give wrong passwords for a user, and lock it out."""
    if not spec.deployment.keycloak:
        return []
    user = person(spec.own.names).username
    return [Check(f"{user} is not locked out", "lockout", lambda: unlocked(spec), subject=f"test user {user}")]


def unlocked(spec: VerificationSpec) -> str:
    if locked := lockout(spec):
        raise CheckFailed(locked, "no lock", _lifts_the_lock(spec), Code.LOGIN_REFUSED)
    return "may log in"


def lockout(spec: VerificationSpec, lift: bool = False) -> str:
    """Return why the own user is locked out, or an empty text; `lift` the lock. Raise `KeycloakError`."""
    names, secret = spec.own.names, spec.deployment.keycloak
    if not secret:
        return ""
    with KeycloakAdmin(KeycloakAccess(names.url("keycloak"), spec.ca, secret), REALM_REQUEST) as admin:
        locked = users.lockout(admin, names, person(names))
        if locked and lift:
            users.unlock(admin, names, person(names))
    return locked


def _lifts_the_lock(spec: VerificationSpec) -> Remedy:
    return Remedy.update(spec.own.names.country.code, "lifts the lock")


def discovery(names: Names, ca: str) -> str:
    url = f"{names.issuer}/.well-known/openid-configuration"
    remedy = Remedy.update(names.country.code)
    try:
        with https.client(ca, 2) as http:
            response = http.get(url)
            issuer = response.json()["issuer"] if response.status_code == 200 else f"status {response.status_code}"
    except httpx.HTTPError as error:
        raise objects.unanswered(
            f"{url}: {str(error) or type(error).__name__}", names.issuer, remedy, Code.KEYCLOAK
        ) from None
    except (ValueError, KeyError) as error:
        raise CheckFailed(f"{url}: {str(error) or type(error).__name__}", names.issuer, remedy, Code.KEYCLOAK) from None
    if issuer != names.issuer:
        raise CheckFailed(issuer, names.issuer, remedy, Code.LOGIN_UNEXPECTED)
    return issuer


def _visits(spec: VerificationSpec) -> list[tuple[Party, Party]]:
    """Return (where, whose users): at home, and both ways with each partner."""
    pairs = [(spec.own, spec.own)]
    for partner in spec.partners:
        pairs += [(spec.own, partner), (partner, spec.own)]
    return pairs


def visited(spec: VerificationSpec, validation: Validation) -> list[tuple[str, str, str, str, float]]:
    """Return the brokered logins that succeeded: source, target, alias and client of the link, seconds."""
    seconds = {f.check: f.seconds for f in validation.findings if f.verdict == Verdict.VALID}
    return [
        (
            whose.names.country.code,
            where.names.country.code,
            whose.names.idp_alias,
            where.names.client,
            seconds[_sentence(where.names, whose.names)],
        )
        for where, whose in _visits(spec)
        if where != whose and _sentence(where.names, whose.names) in seconds
    ]


def _sentence(where: Names, whose: Names) -> str:
    return f"a user from {whose.country.code} can log in at {where.country.code}"


class _Person:
    """The logins of one user in one validation.

    They run one at a time: during a login, a realm refuses another one with the message for a wrong password. They stop
    after `_REFUSALS`: a realm locks the user after five.
    """

    def __init__(self) -> None:
        self._refused: list[LoginFailed] = []

    def visit(self, spec: VerificationSpec, where: Party, whose: Party) -> list[Finding]:
        with _TURNS[whose.names.issuer]:
            try:
                if self._given_up:
                    raise self._refused[-1]
                return visit(where.names, whose, spec.ca, spec.documents)
            except LoginFailed as error:
                if not error.away:
                    self._refused.append(error)
                remedy = Remedy.refresh(_answering(error.host, whose.names, where.names).country.code)
                wanted = f"{person(whose.names).username} logged in at {where.names.url('frontend')}"
                cause = "" if error.away else _cause(spec, whose)
                raise CheckFailed(
                    f"{cause}{error}",
                    wanted,
                    _lifts_the_lock(spec) if cause else remedy,
                    Code.LOGIN_REFUSED,
                    final=not error.away and self._given_up,
                ) from None

    @property
    def _given_up(self) -> bool:
        return len(self._refused) >= _REFUSALS


def visit(here: Names, whose: Party, ca: str, documents: int) -> list[Finding]:
    """Check the login, its path, its claims, one permitted document and the denied ones, each for the right reason.

    Raise `LoginFailed`, or `CheckFailed` if the session is not the expected one.
    """
    home, user = whose.names, person(whose.names).username
    with login(here, home, user, whose.password, ca) as session:
        remedy = Remedy.refresh(here.country.code)
        claims = {name: session.claims.get(name) for name in ("uniqueID", "countryOfAffiliation", "clearance")}
        found = {**claims, "acpCOI": session.claims.get("acpCOI", []), "issuer": session.issuer, "path": session.hosts}
        wanted = {
            "uniqueID": user,
            "countryOfAffiliation": home.country.code,
            "clearance": _CLEARANCE,
            "acpCOI": [],
            "issuer": here.issuer,
            "path": path(here, home),
        }
        differing = [name for name in wanted if found[name] != wanted[name]]
        if differing:
            was, should = ({name: values[name] for name in differing} for values in (found, wanted))
            raise CheckFailed(f"session {was}", f"session {should}", remedy, Code.LOGIN_UNEXPECTED)
        way = f"{user} via {' > '.join(session.hosts)}"
        signed_in = Finding(_sentence(here, home), Verdict.VALID, found=way, seconds=session.seconds)
        decided = [_decision(session, here, home.country.code, *c) for c in cases(here, home.country.code, documents)]
        return [signed_in, *decided]


def person(home: Names) -> users.User:
    """Return the test user of the country `home` who logs in."""
    return users.wanted(home)[_USER - 1]


def _answering(host: str, home: Names, here: Names) -> Names:
    """Return whose realm or portal stopped a login: each country declares its own side of a link."""
    return home if host.endswith(f".{home.zone}") else here


def _cause(spec: VerificationSpec, whose: Party) -> str:
    """Return the lock that refuses the own user, with the words for a wrong password; empty if none is known."""
    if whose is not spec.own:
        return ""
    try:
        locked = lockout(spec)
    except KeycloakError:  # the check of the lock reports it
        return ""
    return f"{person(whose.names).username} is {locked}; " if locked else ""


def path(here: Names, home: Names) -> tuple[str, ...]:
    """Return the hosts of a login: the portal redirects to its own realm, that one to the user's realm, and back."""
    own, portal = here.host("keycloak"), here.host("frontend")
    there = () if here == home else (home.host("keycloak"), own)
    return (portal, own, *there, portal)


def cases(where: Names, home: str, documents: int) -> list[tuple[str, str]]:
    """Return (document, check that denies it or "") for the user of `home` who belongs to no community."""

    def outcome(document: dict[str, Any]) -> str | None:
        if document["COI"]:
            return None
        high = LEVELS.index(document["classification"]) > LEVELS.index(_CLEARANCE)
        foreign = home not in document["releasabilityTo"]
        return None if high and foreign else "clearance" if high else "country" if foreign else ""

    found: dict[str, str] = {}
    for document in seeded(where, min(documents, len(CORNERSTONES))):
        kind = outcome(document)
        if kind is not None:
            found.setdefault(kind, document["_id"])
    if "" not in found or len(found) < 2:
        raise CheckUnknown(f"the seeds of {where.country.code} hold no document to permit and one to deny for {home}")
    return [(document, kind) for kind, document in sorted(found.items())]


def _decision(session: PortalSession, here: Names, home: str, document: str, denied_by: str) -> Finding:
    expected = f"403 by check {denied_by}" if denied_by else "200 with content"
    sentence = f"{here.country.code} {'denies' if denied_by else 'permits'} {document} to a user of {home}"
    response = session.document(document)
    body = response.json() if "json" in response.headers.get("content-type", "") else {}
    if response.status_code == 403:
        found = f"403 by check {body.get('check')}"
    else:
        found = (
            f"{response.status_code} {'with content' if body.get('content') else body.get('error', 'without content')}"
        )
    remedy = Remedy.update(here.country.code)
    return Finding(
        sentence,
        Verdict.VALID if found == expected else Verdict.INVALID,
        expected,
        found,
        remedy,
        code=Code.DECISION_OR_API,
        topic="decisions",
        subject=f"{document} for a user of {home} at {here.country.code}",
    )
