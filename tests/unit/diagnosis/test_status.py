"""Status: both axes, the problems, and their commands."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock

import pytest

from dive_infra.checks import connectivity
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.cli import status as status_verb
from dive_infra.diagnosis.snapshot import Snapshot, with_connectivity
from dive_infra.diagnosis.status import judge
from dive_infra.orchestration.records import Current
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy
from tests.unit.diagnosis.situations import BLIND, CASES, LOST, NOON, country, finding, record, validation


@pytest.mark.parametrize("name", CASES)
def test_both_axes_and_the_exit_code(name: str) -> None:
    seen, state, health, code = CASES[name]
    judged = judge(seen)
    assert (judged.deployment.state, judged.health, status_verb.outcome(judged)) == (state, health, code)


@pytest.mark.parametrize("name", CASES)
def test_every_problem_has_a_cause_and_an_exact_command(name: str) -> None:
    for problem in judge(CASES[name][0]).problems:
        assert problem.found
        assert problem.next.startswith(
            (
                "./dive up FRA",
                "./dive up USA",
                "./dive doctor FRA",
                "pulumi cancel -s fra --yes",
                "remove it by hand, or: ",
            )
        )


@pytest.mark.parametrize(("name", "phase"), [("failed", "SEEDING"), ("failed-still", "VERIFICATION"), ("well", "")])
def test_a_failed_deployment_names_the_phase_that_failed(name: str, phase: str) -> None:
    """That of the record, or that in which the failed run held the lock."""
    assert judge(CASES[name][0]).deployment.phase == phase


DROPPED = CheckFailed("no packet passes", "the engine's firewall rules let them through", Remedy.decide("restart it"))
UNREACHED = finding(
    "the backend decides", verdict=Verdict.INVALID, found="503", remedy=Remedy.update(), code=Code.DECISION_OR_API
)
DRIFT = finding("client x is as declared", verdict=Verdict.INVALID, found="other", remedy=Remedy.refresh(), code=1305)


def connected(monkeypatch: pytest.MonkeyPatch, country: Snapshot, probe: Callable[[], str]) -> Snapshot:
    """Return the country after its containers were asked, if it is found worth asking, by this probe."""
    check = Check(connectivity.SENTENCE, "connectivity", probe, subject="network dive-fra")
    monkeypatch.setattr(connectivity, "check", lambda _: check)
    return with_connectivity(country, 5)


def drops() -> str:
    raise DROPPED


def with_finding(found: Finding) -> Snapshot:
    return country(phases={p: validation(*([found] if p == Phase.VERIFICATION else [])) for p in Phase})


def test_a_phase_shows_what_a_valid_finding_points_out() -> None:
    old = [finding(f"policies and data {n}", note="policies of yesterday; the hub does not answer") for n in (1, 2)]
    judged = judge(country(phases={p: validation(*(old if p == Phase.DEPLOYMENT else [])) for p in Phase}))
    notes = {phase.phase: phase.note for phase in judged.phases}
    assert notes.pop(Phase.DEPLOYMENT) == "policies of yesterday; the hub does not answer"
    assert set(notes.values()) == {""}
    assert judged.health == "healthy"


def test_packets_that_do_not_pass_are_shown_before_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off = judge(connected(monkeypatch, with_finding(UNREACHED), drops))
    assert [p.found for p in cut_off.problems] == ["no packet passes", "503"]
    assert cut_off.problems[0].next == "restart it"
    assert cut_off.problems[0].title.startswith("network dive-fra: no packet passes")


FAILED = country(record=record(current=Current(State.FAILED, State.VERIFYING, NOON, "VERIFICATION", "r2")))


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        (with_finding(UNREACHED), True),
        (with_finding(BLIND), True),
        (country(record=None, failed=(LOST,)), True),
        (FAILED, True),
        (with_finding(DRIFT), False),
        (country(), False),
        (country(record=None, failed=(replace(LOST, source="engine"),)), False),
        (Snapshot("FRA", False), False),
    ],
    ids=["no answer", "unknown", "no record", "failed", "drift", "well", "no engine", "not deployed"],
)
def test_containers_are_asked_once_and_only_about_what_may_follow(
    monkeypatch: pytest.MonkeyPatch, seen: Snapshot, asked: bool
) -> None:
    probe = Mock(return_value="backend reaches 8 of 8 services")
    found = connected(monkeypatch, seen, probe)
    assert probe.call_count == asked
    assert connected(monkeypatch, found, probe) == found
    assert probe.call_count == asked


def test_what_the_containers_cannot_say_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Mock(side_effect=CheckUnknown("too few containers run"))
    seen = with_finding(UNREACHED)
    assert connected(monkeypatch, seen, probe) == seen
