"""VERIFICATION, without servers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import MagicMock, Mock

import httpx
import pytest

from dive_infra.checks import connectivity, decisions, partners, policy_engine, runner, verification
from dive_infra.checks.spec import (
    Party,
    VerificationSpec,
)
from dive_infra.checks.verification import cases
from dive_infra.config.clearances import LEVELS
from dive_infra.config.naming import Names
from dive_infra.identity import users
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.keycloak_admin import KeycloakUnreachable
from dive_infra.membership.status import ProbeLogin
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict, overall
from dive_infra.results.remedy import NO_REMEDY
from tests.unit.checks.specs import FRANCE, SPECS, USA


def found(*answers: Verdict) -> list[Finding]:
    return [Finding(f"check {n}", answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize("where", [FRANCE, USA])
@pytest.mark.parametrize("home", ["FRA", "USA"])
def test_the_seeds_hold_a_case_for_every_pair_of_countries(where: Names, home: str) -> None:
    kinds = [denied_by for _, denied_by in cases(where, home, 10)]
    assert kinds == ["", "clearance", "country"]


PROBE = ProbeLogin("probe-usa-fra", "p")


@pytest.fixture(autouse=True)
def issued(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What partners have issued to this country; what else they publish is their code."""
    found = Mock(return_value=PROBE)
    monkeypatch.setattr(partners, "published", Mock(side_effect=lambda partner, _: partner.names.country.code))
    monkeypatch.setattr(partners, "account", found)
    return found


@pytest.fixture(autouse=True)
def awaited(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Why this country has no policies of its hub yet."""
    found = Mock(return_value=None)
    monkeypatch.setattr(policy_engine, "awaited", found)
    return found


def test_a_person_logs_in_once_at_a_time_though_two_countries_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor checks countries side by side; at one realm, one person logs in at a time."""
    alone = threading.Lock()

    def visit(_: Names, __: Names, whose: Party, *___: object) -> list[Finding]:
        if whose.names == USA:
            assert alone.acquire(blocking=False), "two logins of one person at a time"
            time.sleep(0.01)
            alone.release()
        return found("valid")

    monkeypatch.setattr(verification, "visit", visit)
    france = SPECS[5]
    assert isinstance(france, VerificationSpec)
    usa = replace(france, own=Party(USA, "p"), partners=())
    both = [*verification.logins(france), *verification.logins(usa)]
    assert runner.run(both * 5, 60).verdict == Verdict.VALID


@pytest.mark.parametrize(("away", "tried"), [(False, 3), (True, 11)], ids=["refused", "not reachable"])
def test_a_persons_logins_take_turns_and_end_before_the_person_is_locked_out(
    monkeypatch: pytest.MonkeyPatch, away: bool, tried: int
) -> None:
    tries = 0
    alone = threading.Lock()

    def visit(_: Names, __: Names, whose: Party, *___: object) -> list[Finding]:
        nonlocal tries
        if whose.names == USA:
            return found("valid")
        assert alone.acquire(blocking=False), "two logins of one person at a time"
        tries += 1
        time.sleep(0.01)
        alone.release()
        if tries >= 10:
            return found("valid")
        raise LoginFailed("login", "idp", "a redirect", "no", away)

    monkeypatch.setattr(verification, "visit", visit)
    monkeypatch.setattr(runner, "PAUSE", 0.01)
    monkeypatch.setattr(verification, "_PAUSE", 0.01)
    spec = SPECS[5]
    assert isinstance(spec, VerificationSpec)
    logins = [c for c in verification.checks(spec) if c.topic == "logins"]
    assert len(logins) == 3
    validation = runner.settle(logins, 60, again=("invalid", "unknown"))
    assert [f.verdict for f in validation.findings if f.verdict != "valid"] == ([] if away else ["invalid"] * 2)
    assert tries == tried


def test_a_login_passes_the_portal_and_the_realms_on_the_way() -> None:
    hosts = [host.split(".")[0:2] for host in verification.path(USA, FRANCE)]
    assert hosts == [["portal", "usa"], ["idp", "usa"], ["idp", "fra"], ["idp", "usa"], ["portal", "usa"]]
    assert len(verification.path(FRANCE, FRANCE)) == 3


LOCK = "locked out after 6 wrong passwords, the last from 10.0.0.7"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> VerificationSpec:
    """A country whose person every realm refuses, with the words for a wrong password."""
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)

    def refused(*_: object) -> list[Finding]:
        raise LoginFailed("login", "idp", "a redirect", "'Invalid username or password.'")

    monkeypatch.setattr(verification, "visit", refused)
    monkeypatch.setattr(verification, "KeycloakAdmin", MagicMock())
    return replace(given, deployment=replace(given.deployment, keycloak="secret"))


def _refused(spec: VerificationSpec) -> dict[str, Finding]:
    return {f.subject: f for f in runner.run(verification.logins(spec), 5).findings}


def test_a_lock_is_named_as_the_cause_and_no_check_lifts_it(
    monkeypatch: pytest.MonkeyPatch, spec: VerificationSpec
) -> None:
    lifted = Mock()
    monkeypatch.setattr(users, "lockout", lambda *_: LOCK)
    monkeypatch.setattr(users, "unlock", lifted)
    named = _refused(spec)
    for place in ("FRA", "USA"):
        login = named[f"login of users from FRA at {place}"]
        assert login.found.startswith(f"probe-fra-fra is {LOCK}; login at idp"), login
        assert str(login.remedy) == "pulumi up -s fra (lifts the lock)"
    assert LOCK not in named["login of users from USA at FRA"].found, "the partner's realm is not ours to ask"
    [quick] = runner.run(verification.lockouts(spec), 5).findings
    assert quick.statement == f"probe person probe-fra-fra: {LOCK}; expected no lock"
    lifted.assert_not_called()
    assert verification.lockout(spec, lift=True) == LOCK
    lifted.assert_called_once()


def test_a_realm_that_does_not_say_whether_there_is_a_lock_leaves_the_refusal_as_it_is(
    monkeypatch: pytest.MonkeyPatch, spec: VerificationSpec
) -> None:
    monkeypatch.setattr(users, "lockout", Mock(side_effect=KeycloakUnreachable("idp is out of reach")))
    login = _refused(spec)["login of users from FRA at FRA"]
    assert (login.verdict, login.found[:12]) == ("invalid", "login at idp")
    [quick] = runner.run(verification.lockouts(spec), 5).findings
    assert (quick.verdict, quick.found) == ("unknown", "idp is out of reach")


def test_a_link_whose_partner_has_issued_no_one_is_pending_both_ways_and_asked_about_once(
    monkeypatch: pytest.MonkeyPatch, issued: Mock
) -> None:
    issued.side_effect = partners.Pending("USA does not answer")
    monkeypatch.setattr(verification, "visit", lambda *_: found("valid"))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    validation = runner.run(verification.logins(given), 5)
    home, *links = validation.findings
    assert home.verdict == "valid"
    assert [(f.verdict, f.code, f.advisory, f.found) for f in links] == [
        ("unknown", Code.LINK_PENDING, True, "pending: USA does not answer")
    ] * 2
    assert overall(validation.findings) == Verdict.VALID, "no failure of this country"
    assert [(v.source, v.target, v.pending) for v in verification.visited(given, validation)] == [
        ("FRA", "USA", "pending: USA does not answer"),
        ("USA", "FRA", "pending: USA does not answer"),
    ]


def test_a_partner_is_asked_once_for_what_it_publishes_in_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "visit", lambda *_: found("valid"))
    given, heard = SPECS[5], list[object]()
    assert isinstance(given, VerificationSpec)
    assert runner.run(verification.logins(given, hears=heard.append), 5).verdict == Verdict.VALID
    assert heard == ["USA"]


class Session:
    """A session that is as expected, at a portal that answers each document with `response`."""

    seconds, issuer = 0.5, ""
    hosts: tuple[str, ...] = ()

    def __init__(self, portal: Names, home: Names, response: Callable[[str], httpx.Response]) -> None:
        self.issuer, self.hosts, self.document = portal.issuer, verification.path(portal, home), response
        user = verification._username(FRANCE, home)
        claims = {"uniqueID": user, "countryOfAffiliation": home.country.code, "clearance": LEVELS[0]}
        self.claims = {**claims, "acpCOI": []}


def portals(**responses: Callable[[str], httpx.Response]) -> Callable[..., AbstractContextManager[Session]]:
    """Return a `login` at portals that answer so: country code -> response to a request for a document."""

    @contextmanager
    def login(portal: Names, via: Names, *_: object) -> Iterator[Session]:
        yield Session(portal, via, responses[portal.country.code])

    return login


def unavailable(_: str) -> httpx.Response:
    return httpx.Response(503, json={"error": "unavailable"})


def reset(_: str) -> httpx.Response:
    raise httpx.ReadError("connection reset")


def decided(where: Names, home: Names) -> Callable[[str], httpx.Response]:
    """Answer as the policies of a country say for a person of another."""
    denied = dict(cases(where, home.country.code, 60))

    def answer(document: str) -> httpx.Response:
        if check := denied[document]:
            return httpx.Response(403, json={"check": check})
        return httpx.Response(200, json={"content": "text"})

    return answer


@pytest.mark.parametrize(
    ("broken", "said"), [(unavailable, "expected a decision, found 503 unavailable"), (reset, "found connection reset")]
)
def test_a_partner_that_cannot_serve_makes_the_link_pending_and_fails_no_one_else(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[str], httpx.Response], said: str
) -> None:
    """Each country is deployed by its own operator: a service of one that is down stops no other."""
    monkeypatch.setattr(verification, "login", portals(FRA=decided(FRANCE, FRANCE), USA=broken))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    findings = {f.check: f for f in runner.run(verification.logins(given), 5).findings}
    link = findings["a user from FRA can log in at USA"]
    assert (link.verdict, link.code, link.advisory) == ("unknown", Code.LINK_PENDING, True)
    assert link.found.startswith("pending: ")
    assert said in link.found
    assert findings["a user from FRA can log in at FRA"].verdict == Verdict.VALID


@pytest.mark.parametrize(("whose", "where"), [("FRA", "USA"), ("USA", "FRA")])
def test_an_agreement_that_has_ended_makes_the_link_pending_and_locks_no_one_out(
    monkeypatch: pytest.MonkeyPatch, whose: str, where: str
) -> None:
    def visit(_: Names, here: Names, of: Party, *__: object) -> list[Finding]:
        if (of.names.country.code, here.country.code) == (whose, where):
            raise LoginFailed("session", here.host("frontend"), "200", "403", check="agreement")
        return [Finding(verification._sentence(here, of.names), Verdict.VALID)]

    monkeypatch.setattr(verification, "visit", visit)
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    validation = runner.run(verification.logins(given), 5)
    assert overall(validation.findings) == Verdict.VALID
    [link] = [f for f in validation.findings if f.verdict != Verdict.VALID]
    assert (link.check, link.code) == (f"a user from {whose} can log in at {where}", Code.LINK_PENDING)
    assert link.found == f"pending: {where} refuses people of {whose}, because the agreement on them has ended"
    assert f"dive:agreements.{whose}.expires of USA, then: pulumi up -s usa" in str(link.remedy)


def test_a_partner_that_decides_otherwise_than_agreed_is_no_pending_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def permits_all(_: str) -> httpx.Response:
        return httpx.Response(200, json={"content": "text"})

    monkeypatch.setattr(verification, "login", portals(FRA=decided(FRANCE, FRANCE), USA=permits_all))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    wrong = [f for f in runner.run(verification.logins(given), 5).findings if f.verdict == Verdict.INVALID]
    assert {f.code for f in wrong} == {Code.DECISION_OR_API}
    assert all(f.subject.endswith("at USA") for f in wrong)


def test_a_country_whose_own_service_is_down_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "login", portals(FRA=unavailable, USA=decided(USA, FRANCE)))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    wrong = [f for f in runner.run(verification.logins(given), 5).findings if f.verdict == Verdict.INVALID]
    assert {(f.code, f.found) for f in wrong} == {(Code.DECISION_OR_API, "503 unavailable")}


def test_a_country_without_policies_of_its_hub_is_pending_as_are_its_links(
    monkeypatch: pytest.MonkeyPatch, awaited: Mock
) -> None:
    """Its people log in at home nevertheless; a login without a decision proves no link."""
    waits = partners.Pending("FRA permits nothing yet", NO_REMEDY, Code.NOT_APPROVED)
    awaited.return_value = waits
    monkeypatch.setattr(verification, "login", portals(FRA=unavailable, USA=decided(USA, FRANCE)))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    validation = runner.run(verification.logins(given), 5)
    assert overall(validation.findings) == Verdict.VALID
    off = {f.check: f for f in validation.findings if f.verdict != Verdict.VALID}
    assert {(f.verdict, f.found, f.code) for f in off.values()} == {
        ("unknown", "pending: FRA permits nothing yet", Code.NOT_APPROVED)
    }
    assert sum("to a user of FRA" in check for check in off) == 3
    proven = {(v.source, v.target): not v.pending for v in verification.visited(given, validation)}
    assert proven == {("FRA", "USA"): True, ("USA", "FRA"): False}
    [quick] = decisions.checks(given.deployment)
    monkeypatch.setattr(
        decisions, "decisions", lambda *_: [replace(f, found=decisions._UNDECIDED) for f in found("invalid")]
    )
    assert [f.found for f in runner.run([quick], 5).findings] == ["pending: FRA permits nothing yet"]


@pytest.mark.parametrize("cut", ["no packet reaches 192.0.2.1:8443", ""])
def test_a_partner_out_of_reach_of_the_own_keycloak_makes_the_link_pending(
    cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person has logged in at home, and the country's own realm says that it gets no answer."""

    def visit(_: Names, here: Names, whose: Party, *__: object) -> list[Finding]:
        if whose.names == USA:
            raise LoginFailed("login", here.host("keycloak"), "a redirect", "502 'Unexpected error'", away=True)
        return [Finding(verification._sentence(here, whose.names), Verdict.VALID)]

    monkeypatch.setattr(verification, "visit", visit)
    monkeypatch.setattr(connectivity, "cut_off", lambda own, partner, _: cut if (own, partner) == (FRANCE, USA) else "")
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    [link] = [f for f in runner.run(verification.logins(given), 5).findings if f.verdict != Verdict.VALID]
    assert link.check == "a user from USA can log in at FRA"
    if cut:
        assert (link.verdict, link.code, link.advisory) == ("unknown", Code.LINK_PENDING, True)
        assert link.found.endswith(f"found 502 'Unexpected error'; {cut}")
    else:
        assert (link.verdict, link.code) == ("invalid", Code.LOGIN_REFUSED), "within reach, it is the own realm's fault"


def test_a_country_that_decides_is_not_asked_whether_it_waits(monkeypatch: pytest.MonkeyPatch, awaited: Mock) -> None:
    monkeypatch.setattr(verification, "login", portals(FRA=decided(FRANCE, FRANCE), USA=unavailable))
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    runner.run(verification.logins(given), 5)
    awaited.assert_not_called()


def test_a_partner_that_can_serve_again_in_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [unavailable, unavailable]
    at_usa = decided(USA, FRANCE)
    monkeypatch.setattr(verification, "_PAUSE", 0.01)
    portal = portals(FRA=decided(FRANCE, FRANCE), USA=lambda document: (answers.pop() if answers else at_usa)(document))
    monkeypatch.setattr(verification, "login", portal)
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    link = next(c for c in verification.logins(given, patience=5) if c.sentence == "a user from FRA can log in at USA")
    assert {f.verdict for f in runner.run([link], 5).findings} == {Verdict.VALID}
    assert answers == []


def test_a_proven_link_is_reported_with_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    def visit(own: Names, here: Names, whose: Party, *_: object) -> list[Finding]:
        assert whose.password == ("p" if whose.names == USA else "canary-of-a-secret")
        return [Finding(verification._sentence(here, whose.names), Verdict.VALID, seconds=0.5)]

    monkeypatch.setattr(verification, "visit", visit)
    given = SPECS[5]
    assert isinstance(given, VerificationSpec)
    seen = verification.visited(given, runner.run(verification.logins(given), 5))
    assert [(v.source, v.target, v.alias, v.client, v.seconds, v.pending) for v in seen] == [
        ("FRA", "USA", "fra-idp", USA.client, 0.5, ""),
        ("USA", "FRA", "usa-idp", FRANCE.client, 0.5, ""),
    ]


@pytest.mark.parametrize(
    ("denied_by", "check", "verdict"),
    [
        ("", "national.night", "valid"),
        ("", "clearance", "invalid"),
        ("", "nationality", "invalid"),
        ("clearance", "national.night", "invalid"),
        ("clearance", "clearance", "valid"),
    ],
)
def test_a_rule_of_the_country_may_refuse_what_the_policies_permit(denied_by: str, check: str, verdict: str) -> None:
    answer = httpx.Response(403, json={"check": check})
    decided = verification._decision(answer, FRANCE, "USA", "doc", denied_by)
    assert (decided.verdict, decided.found) == (verdict, f"403 by check {check}")
    own = decisions._finding(FRANCE, "a document", denied_by, f"denied by check {check}", NO_REMEDY)
    assert (own.verdict, own.code is None) == (verdict, verdict == "valid")
