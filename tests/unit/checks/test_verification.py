"""VERIFICATION, without servers."""

import threading
import time

import pytest

from dive_infra.checks import runner, verification
from dive_infra.checks.spec import (
    Party,
    VerificationSpec,
)
from dive_infra.checks.verification import cases
from dive_infra.config.naming import Names
from dive_infra.identity.browser import LoginFailed
from dive_infra.results.finding import Finding, Verdict
from tests.unit.checks.specs import FRANCE, SPECS, USA


def found(*answers: Verdict) -> list[Finding]:
    return [Finding(f"check {n}", answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize("where", [FRANCE, USA])
@pytest.mark.parametrize("home", ["FRA", "USA"])
def test_the_seeds_hold_a_case_for_every_pair_of_countries(where: Names, home: str) -> None:
    kinds = [denied_by for _, denied_by in cases(where, home, 10)]
    assert kinds == ["", "clearance", "country"]


@pytest.mark.parametrize(("away", "tried"), [(False, 3), (True, 11)], ids=["refused", "not reachable"])
def test_a_persons_logins_take_turns_and_end_before_the_person_is_locked_out(
    monkeypatch: pytest.MonkeyPatch, away: bool, tried: int
) -> None:
    tries = 0
    alone = threading.Lock()

    def visit(_: Names, whose: Party, *__: object) -> list[Finding]:
        nonlocal tries
        if whose.names is USA:
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
