"""Repair: the plan that follows from what was found, and what may be called repaired."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from docker import DockerClient

from dive_infra.automation.backend_lock import BackendLock
from dive_infra.automation.stack_state import ReportFile, StackState
from dive_infra.checks import initialization, objects, runner
from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import InitializationSpec
from dive_infra.cli.exits import Exit
from dive_infra.cli.repair import ended
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.diagnosis import repair
from dive_infra.diagnosis.diagnosis import Diagnosis, View, proven, view_of
from dive_infra.diagnosis.repair import plan
from dive_infra.diagnosis.snapshot import Failed, Snapshot
from dive_infra.engines.data_loss import choice
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import UNANSWERED, EngineObject
from dive_infra.orchestration.overview import Failure, Overview
from dive_infra.orchestration.records import Current
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOST = Finding(
    "the data volumes are there", Verdict.INVALID, found="gone", remedy=Remedy.decide(f"DIVE_ACCEPT_LOSS=v {UP}")
)
TAKEN = Finding(
    "every port is free or ours",
    Verdict.INVALID,
    found="taken: 4",
    remedy=Remedy.decide("end these programs, or choose others"),
)
STOPPED = Finding("opa runs", Verdict.INVALID, found="exited", remedy=Remedy.update())
CHANGED = Finding("client portal is as declared", Verdict.INVALID, found="other", remedy=Remedy.refresh())
DARK = Finding(
    "realm is as declared", Verdict.UNKNOWN, found="no answer", remedy=Remedy.update(detail="starts Keycloak")
)
SICK = Finding("the hub is healthy", Verdict.INVALID, found="no answer", remedy=Remedy.update("USA"))


class Empty(DockerEngine):
    """An engine that holds nothing, and that no one asks."""

    def volumes(self) -> list[EngineObject]:
        return []


EMPTY = Empty(DockerClient())


def valid(finding: Finding) -> Finding:
    return replace(finding, verdict=Verdict.VALID, found="")


def view(
    code: str = "FRA", updates: tuple[BackendLock, ...] = (), deployed: bool = True, **phases: list[Finding]
) -> View:
    """A country with these findings; without a record, as nothing here asks it."""
    stack = StackState(code.lower(), 10, None) if deployed else None
    looked = {Phase(name): Validation(tuple(found), 0.1) for name, found in phases.items()}
    return view_of(Snapshot(code, deployed, stack, updates=updates, phases=looked))


def found(own: View, hub: View | None = None) -> Diagnosis:
    """Without what is said of the deployment: it has no record here."""
    bare = [replace(v, symptoms=tuple(s for s in v.symptoms if s.where != "deployment")) for v in (own, hub) if v]
    return Diagnosis(*bare)


def steps(diagnosed: Diagnosis) -> list[tuple[str, str]]:
    return [(step.action.name, step.code) for step in plan(diagnosed).steps]


def left(diagnosed: Diagnosis) -> list[str]:
    return [s.check for s in plan(diagnosed).decisions]


def test_nothing_wrong_is_nothing_to_do() -> None:
    well = found(view(DEPLOYMENT=[valid(STOPPED)]))
    assert steps(well) == []
    assert ended(well, well) == Exit.OK


@pytest.mark.parametrize(
    ("remedy", "by"),
    [
        (Remedy.update(), "FRA"),
        (Remedy.refresh(), "FRA"),
        (Remedy.deploy(detail="obtains or builds them"), "FRA"),
        (Remedy.update("USA", f"add FRA to dive:spokes of the hub, then: {UP}"), "USA"),
        (Remedy.decide(f"DIVE_REMOVE=client/x {UP}"), ""),
        (Remedy.decide(*choice(EMPTY, "v", {"dive.country": "FRA"})), ""),
        (Remedy.decide("free space on /var/lib/docker"), ""),
        (Remedy.wait(f"wait for it to end, then: {UP}"), ""),
        (Remedy.run("./dive doctor FRA"), ""),
        (NO_REMEDY, ""),
    ],
)
def test_the_remedy_says_who_fixes_it_and_an_operators_decision_is_never_taken(remedy: Remedy, by: str) -> None:
    assert remedy.fixed_by("FRA") == by
    (symptom,) = found(view(DEPLOYMENT=[replace(STOPPED, remedy=remedy)])).symptoms
    assert symptom.by == by


def test_one_update_for_all_with_a_refresh_where_one_is_named() -> None:
    assert steps(found(view(DEPLOYMENT=[STOPPED]))) == [("update", "FRA")]
    assert steps(found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[CHANGED]))) == [("refresh", "FRA")]


def test_what_could_not_be_told_is_mended_first_and_then_looked_at() -> None:
    assert steps(found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[DARK]))) == [("update", "FRA")]


def test_the_hub_comes_first_where_the_cause_is_the_hubs() -> None:
    hub = view("USA", DEPLOYMENT=[STOPPED])
    assert steps(found(view(PREFLIGHT=[SICK]), hub)) == [("update", "USA")]
    assert steps(found(view(PREFLIGHT=[SICK], DEPLOYMENT=[STOPPED]), hub)) == [("update", "USA"), ("update", "FRA")]


def test_a_hub_is_left_alone_by_a_country_that_is_well() -> None:
    assert steps(found(view(DEPLOYMENT=[valid(STOPPED)]), view("USA", DEPLOYMENT=[STOPPED]))) == []


def test_a_hub_that_is_somebody_elses_is_named_to_its_operator() -> None:
    sick = found(view(PREFLIGHT=[SICK], CONFIGURATION=[DARK]), view("USA", deployed=False))
    (decision,) = [s for s in plan(sick).decisions if s.code == "FRA"]
    assert steps(sick) == [], "an update of France would not get past its first phase"
    told = repair.next_step(decision, sick)
    assert told == "the operator of USA: ./dive repair USA; then: ./dive repair FRA"


@pytest.mark.parametrize(("phase", "blocking"), [("PREFLIGHT", TAKEN), ("INITIALIZATION", LOST)])
def test_no_update_is_begun_that_would_stop_at_a_persons_decision(phase: str, blocking: Finding) -> None:
    shut = found(view(DEPLOYMENT=[STOPPED], **{phase: [blocking]}))
    assert steps(shut) == []
    assert left(shut) == [blocking.check]
    assert ended(shut, shut) == Exit.FINDINGS


def test_a_decision_of_a_later_phase_holds_up_nothing_before_it() -> None:
    extra = Finding(
        "client x is declared", Verdict.INVALID, found="it is there", remedy=Remedy.decide(f"DIVE_REMOVE=client/x {UP}")
    )
    both = found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[extra]))
    assert steps(both) == [("update", "FRA")]
    assert left(both) == [extra.check]


def test_a_dead_lock_is_cleared_before_the_update_and_a_living_one_is_left() -> None:
    def held(live: bool | None) -> Diagnosis:
        return Diagnosis(view(updates=(BackendLock("anne", "here", 4, datetime.now(UTC), live),), DEPLOYMENT=[STOPPED]))

    assert steps(held(False)) == [("clear", "FRA"), ("update", "FRA")]
    for live in (True, None):
        assert held(live).running is not None


def test_an_engine_of_this_machine_is_started_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    down = view(DEPLOYMENT=[replace(STOPPED, verdict=Verdict.UNKNOWN)])
    country = replace(down.country, failed=(Failed("engine", "no answer", UNANSWERED),))
    monkeypatch.setattr(repair.debian, "possible", lambda: True)
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert steps(found(view_of(country))) == [("engine", "FRA")]
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2376")
    elsewhere = found(view_of(country))
    assert steps(elsewhere) == []
    assert ended(elsewhere, elsewhere) != Exit.OK


def test_repaired_is_what_was_looked_at_again_and_found_valid() -> None:
    before = found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[CHANGED]))
    opa, client = before.symptoms
    half = found(view(DEPLOYMENT=[valid(STOPPED)], CONFIGURATION=[CHANGED]))
    assert proven(opa, half)
    assert not proven(client, half)
    assert ended(before, half) == Exit.PARTIAL
    whole = found(view(DEPLOYMENT=[valid(STOPPED)], CONFIGURATION=[valid(CHANGED)]))
    assert ended(before, whole) == Exit.OK


def test_out_of_sight_is_not_repaired() -> None:
    extra = Finding("client x is declared", Verdict.INVALID, found="it is there", remedy=Remedy.update())
    before = found(view(CONFIGURATION=[extra]))
    (symptom,) = before.symptoms
    assert proven(symptom, found(view(CONFIGURATION=[valid(CHANGED)]))), "all was looked at, and it is not there"
    dark = found(view(CONFIGURATION=[DARK]))
    assert not proven(symptom, dark)
    unseen = found(view(DEPLOYMENT=[valid(STOPPED)]))
    assert not proven(
        symptom, replace(unseen, own=replace(unseen.own, country=replace(unseen.own.country, stack=None)))
    )
    assert ended(before, dark) == Exit.UNKNOWN


def test_a_lost_data_volume_names_both_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(parse("FRA"), "t")
    spec = InitializationSpec(names, "fra-1", (), (names.data_volume("redis"),), (), "", (), "")
    monkeypatch.setattr(objects, "connect", lambda: EMPTY)
    volumes = next(check for check in initialization.checks(spec) if check.topic == "volumes")
    (lost,) = runner.run([volumes], 5).findings
    assert "restore it: docker volume create --label dive.class=core" in str(lost.remedy)
    assert "--label dive.stack=fra-1 t-fra-redis-data, put the backup into it" in str(lost.remedy)
    assert "DIVE_ACCEPT_LOSS=t-fra-redis-data pulumi up -s fra" in str(lost.remedy)
    shut = found(view(INITIALIZATION=[lost], DEPLOYMENT=[STOPPED]))
    assert steps(shut) == []


def test_a_report_that_somebody_altered_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    well = view(VERIFICATION=[valid(STOPPED)])
    stack = StackState("fra", 10, None, report=ReportFile(str(file), "as it was written"))
    gone = found(view_of(replace(well.country, stack=stack)))
    assert [(s.where, s.found) for s in gone.symptoms] == [("report", "is gone")]
    assert steps(gone) == [("update", "FRA")]
    file.write_text("as it was written")
    assert not found(view_of(replace(well.country, stack=stack))).symptoms


def test_a_failed_update_is_tried_again_and_the_choice_it_told_is_the_next_step() -> None:
    told = "accept the loss, in this one run: DIVE_ACCEPT_LOSS=keycloak ./dive up FRA"
    failure = Failure("CHANGE_FAILED", "DatabaseLogins", "database keycloak is gone", NOON, "r", 1.0, told)
    current = Current(State.FAILED, State.DEPLOYING, NOON, "it failed", "r")
    country = replace(view().country, record=Overview(NOON, current, 1.0, None, {}, (), (failure,)))
    failed = Diagnosis(view_of(country))
    (symptom,) = failed.symptoms
    assert steps(failed) == [("update", "FRA")]
    assert repair.next_step(symptom, failed).endswith("DIVE_ACCEPT_LOSS=keycloak ./dive up FRA")
