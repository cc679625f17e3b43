"""VERIFICATION: people from each country can log in at the other, and get the documents that the policy permits.

Those who log in are probe persons: each country has one of its own and issues one to each partner. A link whose other
side does not answer, cannot serve, does not exist yet or is out of reach of this country's Keycloak is pending, which
decides nothing. So are all links of a country that has no policies of its hub yet.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import httpx

from dive_infra.catalog import policy
from dive_infra.checks import (
    connectivity,
    decisions,
    deployment,
    key_release,
    login_page,
    objects,
    partners,
    policy_engine,
)
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import PartnerSpec, Party, VerificationSpec
from dive_infra.config.clearances import LEVELS
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST, PARTNER_PROOF, REALM_REQUEST
from dive_infra.identity import https, users
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError
from dive_infra.identity.login import PortalSession, login
from dive_infra.membership.status import ProbeLogin, PublishedStatus
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.seeds.documents import CORNERSTONES
from dive_infra.seeds.documents import documents as seeded

_TURNS = defaultdict[str, Lock](Lock)  # issuer -> held while its user logs in: countries are checked side by side
_CLEARANCE = LEVELS[0]  # of a probe person, who belongs to no community of interest
_REFUSALS = 3
_AGREEMENT = "agreement"  # the check by which a country's services refuse the people of a partner
_PAUSE = 1.0  # seconds between two attempts at a partner that cannot serve


@dataclass(frozen=True)
class Visit:
    """A login of people from `source` at `target` over a link, with its alias and client; `pending` says why not."""

    source: str
    target: str
    alias: str
    client: str
    seconds: float
    pending: str


Hears = Callable[[PublishedStatus], object]  # called with what a partner has published about itself


def checks(spec: VerificationSpec, hears: Hears = lambda _: None) -> list[Check]:
    """Return all checks, the real logins included: a login takes some seconds."""
    return [*shallow_checks(spec), *deployment.checks(spec.deployment)[1:], *logins(spec, PARTNER_PROOF, hears)]


def logins(spec: VerificationSpec, patience: float = 0.0, hears: Hears = lambda _: None) -> list[Check]:
    """Return the real logins, at home and both ways with each partner, with the decisions after them.

    `patience`: seconds that a partner has which answers and cannot serve; then the link is pending. `hears` gets the
    status of each partner that publishes one.
    """
    own, home = _Person(), spec.own.names
    found = [_login(home, home, partial(own.visit, spec, home, lambda: spec.own))]
    for partner in spec.partners:
        there, link = partner.names, _LinkProof(spec, partner, patience, hears)
        found.append(_login(there, home, partial(link.visit, own, there, lambda: spec.own)))
        found.append(_login(home, there, partial(link.visit, _Person(), home, link.issued)))
    return found


def _login(where: Names, whose: Names, probe: Callable[[], Sequence[Finding]]) -> Check:
    subject = f"login of users from {whose.country.code} at {where.country.code}"
    return Check(_sentence(where, whose), "logins", probe, subject=subject)


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
    """Return the checks that each country's Keycloak answers with the issuer that all others expect.

    A partner's is its own business: what is wrong there is shown, and decides nothing here.
    """
    own = spec.own.names
    return [
        Check(
            f"Keycloak of {names.country.code} reports the expected issuer",
            "discovery",
            partial(discovery, names, spec.ca),
            subject=f"issuer of {names.country.code}",
            advisory=names != own,
        )
        for names in (own, *(partner.names for partner in spec.partners))
    ]


def lockouts(spec: VerificationSpec) -> list[Check]:
    """Return the check that the own user may log in: anyone can give wrong passwords for a user, and lock it out."""
    if not spec.deployment.keycloak:
        return []
    user = person(spec.own.names).username
    return [Check(f"{user} is not locked out", "lockout", lambda: unlocked(spec), subject=f"probe person {user}")]


def unlocked(spec: VerificationSpec) -> str:
    if locked := lockout(spec):
        raise CheckFailed(locked, "no lock", _lifts_the_lock(spec), Code.LOGIN_REFUSED)
    return "may log in"


def lockout(spec: VerificationSpec, lift: bool = False) -> str:
    """Return why the own user is locked out, or an empty text; `lift` the lock. Raise `KeycloakError`."""
    names, secret = spec.own.names, spec.deployment.keycloak
    if not secret:
        return ""
    with KeycloakAdmin(KeycloakAccess.of(names, spec.ca, secret), REALM_REQUEST) as admin:
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
        with https.client(ca, CHECK_REQUEST, names) as http:
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


def visited(spec: VerificationSpec, validation: Validation) -> list[Visit]:
    """Return how the logins over the links ended: those that were proven, and those that are pending."""
    found = {f.check: f for f in validation.findings if f.topic == "logins"}
    own = spec.own.names
    visits: list[Visit] = []
    for partner in (p.names for p in spec.partners):
        for where, whose in ((partner, own), (own, partner)):
            finding = found.get(_sentence(where, whose))
            if finding and (finding.verdict == Verdict.VALID or finding.advisory):
                pending = finding.found if finding.verdict != Verdict.VALID else ""
                codes = whose.country.code, where.country.code
                visits.append(Visit(*codes, whose.idp_alias, where.client, finding.seconds, pending))
    return visits


def _sentence(where: Names, whose: Names) -> str:
    return f"a user from {whose.country.code} can log in at {where.country.code}"


class _Person:
    """The logins of one user in one validation.

    They run one at a time: during a login, a realm refuses another one with the message for a wrong password. They stop
    after `_REFUSALS`: a realm locks the user after five.
    """

    def __init__(self) -> None:
        self._refused: list[LoginFailed] = []

    def visit(self, spec: VerificationSpec, where: Names, of: Callable[[], Party]) -> list[Finding]:
        whose = of()
        with _TURNS[whose.names.issuer]:
            try:
                if self._given_up:
                    raise self._refused[-1]
                return _decided(spec, where, whose, visit(spec.own.names, where, whose, spec.ca, spec.documents))
            except LoginFailed as error:
                if error.check == _AGREEMENT:
                    raise partners.ended(whose.names.country.code, where.country.code) from None
                answering = _answering(error.host, whose.names, where)
                if error.away and answering != spec.own.names:
                    raise partners.Unable(str(error), partners.awaits(answering.country.code)) from None
                if error.away and (cut := connectivity.cut_off(answering, whose.names, "keycloak")):
                    raise partners.Unable(f"{error}; {cut}", partners.awaits(whose.names.country.code)) from None
                if not error.away:
                    self._refused.append(error)
                remedy = Remedy.refresh(answering.country.code)
                wanted = f"{_username(spec.own.names, whose.names)} logged in at {where.url('frontend')}"
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


class _LinkProof:
    """Both ways of a link; the partner is asked once for what it has issued."""

    def __init__(self, spec: VerificationSpec, partner: PartnerSpec, patience: float, hears: Hears) -> None:
        self._spec, self._partner, self._patience, self._hears = spec, partner, patience, hears
        self._asking, self._login = Lock(), list[ProbeLogin]()

    def issued(self) -> Party:
        """Return the person whom the partner has issued to this country; raises as `partners.issued`."""
        spec = self._spec
        with self._asking:
            if not self._login:
                said = partners.published(self._partner, spec.ca)
                self._hears(said)
                self._login.append(partners.account(said, spec.own.names, spec.sealing_key))
        return Party(self._partner.names, self._login[0].password)

    def visit(self, person: _Person, where: Names, of: Callable[[], Party]) -> list[Finding]:
        ends = time.monotonic() + self._patience
        while True:
            try:
                self.issued()
                return person.visit(self._spec, where, of)
            except partners.Unable as error:
                if time.monotonic() > ends:
                    return [self._pending(where, error)]
                time.sleep(_PAUSE)
            except partners.Pending as error:
                return [self._pending(where, error)]

    def _pending(self, where: Names, error: partners.Pending) -> Finding:
        whose = self._spec.own.names if where == self._partner.names else self._partner.names
        return error.finding(_sentence(where, whose), "logins", f"link to {self._partner.names.country.code}")


def visit(own: Names, here: Names, whose: Party, ca: str, documents: int) -> list[Finding]:
    """Check the login, its path, its claims, one permitted document and the denied ones, each for the right reason.

    Raise `LoginFailed`, or `CheckFailed` if the session is not the expected one. A partner that cannot decide now
    proves nothing: that is a failed login, too.
    """
    home, user = whose.names, _username(own, whose.names)
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
        decided = [signed_in]
        for document, denied_by in cases(here, home.country.code, documents):
            response = _asked(session, document, here)
            if here != own and response.is_server_error:
                raise LoginFailed(document, here.host("frontend"), "a decision", _answered(response), away=True)
            decided.append(_decision(response, here, home.country.code, document, denied_by))
        return decided


def _decided(spec: VerificationSpec, here: Names, whose: Party, found: list[Finding]) -> list[Finding]:
    """Return what a visit has found; raise `partners.Pending` for one by a partner's person, if no policy decides here.

    The own person has logged in nevertheless: then only the decisions are pending.
    """
    off = [f for f in found if f.verdict == Verdict.INVALID]
    pending = policy_engine.awaited(spec.deployment) if off and here == spec.own.names else None
    if pending is None:
        return found
    if whose.names != here:
        raise pending
    return [pending.finding(f.check, f.topic, f.subject) if f in off else f for f in found]


def person(home: Names) -> users.User:
    """Return the own probe person of a country."""
    return users.probe(home, home.country)


def _username(own: Names, whose: Names) -> str:
    """Return the name of the person whom a country has issued to this one."""
    return users.probe(whose, own.country).username


def _answering(host: str, home: Names, here: Names) -> Names:
    """Return whose realm or portal stopped a login: each country declares its own side of a link."""
    return home if host.endswith(f".{home.zone}") else here


def _cause(spec: VerificationSpec, whose: Party) -> str:
    """Return the lock that refuses the own user, with the words for a wrong password; empty if none is known."""
    if whose.names != spec.own.names:
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


def _asked(session: PortalSession, document: str, here: Names) -> httpx.Response:
    try:
        return session.document(document)
    except httpx.HTTPError as error:
        found = str(error) or type(error).__name__
        raise LoginFailed(document, here.host("frontend"), "an answer", found, away=True) from None


def _answered(response: httpx.Response) -> str:
    """Return `200 with content`, `403 by check clearance` or `503 unavailable`."""
    body = response.json() if "json" in response.headers.get("content-type", "") else {}
    if response.status_code == 403:
        return f"403 by check {body.get('check')}"
    return f"{response.status_code} {'with content' if body.get('content') else body.get('error', 'without content')}"


def _decision(response: httpx.Response, here: Names, home: str, document: str, denied_by: str) -> Finding:
    expected = f"403 by check {denied_by}" if denied_by else "200 with content"
    sentence = f"{here.country.code} {'denies' if denied_by else 'permits'} {document} to a user of {home}"
    found = _answered(response)
    remedy = Remedy.update(here.country.code)
    # A rule of the country denies only what the policies permit: that is its decision, and no one else's to judge.
    by_rule = not denied_by and found.startswith(f"403 by check {policy.NATIONAL}")
    return Finding(
        sentence,
        Verdict.VALID if found == expected or by_rule else Verdict.INVALID,
        expected,
        found,
        remedy,
        code=Code.DECISION_OR_API,
        topic="decisions",
        subject=f"{document} for a user of {home} at {here.country.code}",
    )
