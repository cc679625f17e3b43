"""Repair: the plan that follows from what was found, and what may be called repaired."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from docker import DockerClient
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dive_infra import engines
from dive_infra.automation.backend_lock import BackendLock
from dive_infra.automation.stack_state import ReportState, StackState
from dive_infra.checks import connectivity, initialization, objects, runner
from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import InitializationSpec
from dive_infra.cli import repair_report as report
from dive_infra.cli.exits import Exit
from dive_infra.cli.repair import ended
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.diagnosis import repair
from dive_infra.diagnosis.diagnosis import Diagnosis, View, outcome, proven, view_of
from dive_infra.diagnosis.repair import plan
from dive_infra.diagnosis.snapshot import Failed, Snapshot, Source
from dive_infra.engines.data_loss import choice
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import EngineObject
from dive_infra.orchestration.overview import Failure, Overview
from dive_infra.orchestration.records import Current
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy
from tests.unit.diagnosis import situations

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


EMPTY = Empty(DockerClient(version="1.41"))  # a given version is not asked for


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
    assert ended(outcome((), well)) == Exit.OK


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
        (Remedy.restart("FRA", "opa"), "FRA"),
        (NO_REMEDY, ""),
    ],
)
def test_the_remedy_says_who_fixes_it_and_an_operators_decision_is_never_taken(remedy: Remedy, by: str) -> None:
    assert remedy.fixed_by("FRA") == by
    (symptom,) = found(view(DEPLOYMENT=[replace(STOPPED, remedy=remedy)])).symptoms
    assert symptom.by == by


def test_a_restart_comes_before_an_update_and_needs_none() -> None:
    """An update proves decisions, which fail as long as another policy is in force."""
    forged = Finding(
        "OPA decides as distributed", Verdict.INVALID, found="x changed", remedy=Remedy.restart("FRA", "opa")
    )
    assert steps(found(view(DEPLOYMENT=[forged]))) == [("restart", "FRA")]
    assert steps(found(view(DEPLOYMENT=[forged, STOPPED]))) == [("restart", "FRA"), ("update", "FRA")]


def test_a_container_that_is_not_as_declared_is_not_restarted_before_the_update_that_restores_it() -> None:
    """It may be unable to start: a key access service that may make one process only."""
    asked = Finding("keys are released", Verdict.INVALID, found="x", remedy=Remedy.restart("FRA", "kas"))
    limited = replace(STOPPED, subject=Names(parse("FRA")).container("kas"), found="limit of processes: 1")
    own = view(DEPLOYMENT=[limited], VERIFICATION=[asked])
    own = replace(own, country=replace(own.country, names=Names(parse("FRA"))))
    assert steps(found(own)) == [("update", "FRA")]
    [step] = plan(found(own)).steps
    assert {cause.finding for cause in step.causes} == {limited, asked}
    other = replace(own, symptoms=tuple(s for s in own.symptoms if s.finding != limited))
    assert steps(found(other)) == [("restart", "FRA")]


def test_a_restart_is_of_the_services_that_the_findings_name() -> None:
    opa, redis = (
        Finding(f"{services[0]} is as declared", Verdict.INVALID, found="x", remedy=Remedy.restart("FRA", *services))
        for services in (("opa", "opal-client"), ("redis",))
    )
    [step] = plan(found(view(DEPLOYMENT=[opa, redis]))).steps
    assert step.services == ("opa", "opal-client", "redis")
    assert step.does.startswith("restart opa and opal-client and redis of FRA")


def test_one_update_for_all_with_a_refresh_where_one_is_named() -> None:
    assert steps(found(view(DEPLOYMENT=[STOPPED]))) == [("update", "FRA")]
    assert steps(found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[CHANGED]))) == [("refresh", "FRA")]


def test_where_a_check_is_unknown_the_update_comes_before_another_check() -> None:
    assert steps(found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[DARK]))) == [("update", "FRA")]


def test_the_hub_comes_first_where_the_cause_is_the_hubs() -> None:
    hub = view("USA", DEPLOYMENT=[STOPPED])
    assert steps(found(view(PREFLIGHT=[SICK]), hub)) == [("update", "USA")]
    assert steps(found(view(PREFLIGHT=[SICK], DEPLOYMENT=[STOPPED]), hub)) == [("update", "USA"), ("update", "FRA")]


def test_a_hub_is_left_alone_by_a_country_that_is_well() -> None:
    assert steps(found(view(DEPLOYMENT=[valid(STOPPED)]), view("USA", DEPLOYMENT=[STOPPED]))) == []


def test_a_hub_of_another_operator_is_left_to_that_operator() -> None:
    sick = found(view(PREFLIGHT=[SICK], CONFIGURATION=[DARK]), view("USA", deployed=False))
    (decision,) = [s for s in plan(sick).decisions if s.code == "FRA"]
    assert steps(sick) == [], "an update of France would not get past its first phase"
    told = repair.next_step(decision, sick)
    assert told == "the operator of USA: ./dive repair USA; then: ./dive repair FRA"


@pytest.mark.parametrize(("phase", "blocking"), [("PREFLIGHT", TAKEN), ("INITIALIZATION", LOST)])
def test_no_update_is_started_that_would_stop_at_a_persons_decision(phase: str, blocking: Finding) -> None:
    shut = found(view(DEPLOYMENT=[STOPPED], **{phase: [blocking]}))
    assert steps(shut) == []
    assert left(shut) == [blocking.check]
    assert ended(outcome(shut.symptoms, shut)) == Exit.FINDINGS


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
    country = replace(down.country, failed=(Failed("engine", "no answer", engines.unanswered()),))
    monkeypatch.setattr(repair.debian, "possible", lambda: True)
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert steps(found(view_of(country))) == [("engine", "FRA")]
    for other in ("tcp://engine.example:2376", "ssh://engine.example", "unix:///run/user/1000/docker.sock"):
        monkeypatch.setenv("DOCKER_HOST", other)
        elsewhere = found(view_of(country))
        assert steps(elsewhere) == []
        assert ended(outcome(elsewhere.symptoms, elsewhere)) != Exit.OK


def test_nothing_is_changed_while_containers_cannot_reach_each_other() -> None:
    """All else may follow from it, and an update would fail half-way for the same reason."""
    network = Finding(
        connectivity.SENTENCE,
        Verdict.INVALID,
        found="no packet passes",
        remedy=Remedy.decide(f"systemctl restart docker, then: {UP}"),
        source=connectivity.SENTENCE,
    )
    forged = replace(STOPPED, check="OPA decides as distributed", remedy=Remedy.restart("FRA", "opa"))
    cut_off = found(view(PREFLIGHT=[SICK], INITIALIZATION=[network], DEPLOYMENT=[STOPPED, forged]), view("USA"))
    assert steps(cut_off) == []
    assert left(cut_off) == [connectivity.SENTENCE]
    assert repair.next_step(plan(cut_off).decisions[0], cut_off) == "systemctl restart docker, then: ./dive up FRA"
    assert ended(outcome(cut_off.symptoms, cut_off)) == Exit.FINDINGS
    of_the_hub = found(view(PREFLIGHT=[SICK]), view("USA", INITIALIZATION=[network], DEPLOYMENT=[STOPPED]))
    assert steps(of_the_hub) == []
    assert left(of_the_hub) == [connectivity.SENTENCE]


def test_repaired_is_what_was_looked_at_again_and_found_valid() -> None:
    before = found(view(DEPLOYMENT=[STOPPED], CONFIGURATION=[CHANGED]))
    opa, client = before.symptoms
    half = found(view(DEPLOYMENT=[valid(STOPPED)], CONFIGURATION=[CHANGED]))
    assert proven(opa, half)
    assert not proven(client, half)
    assert ended(outcome(before.symptoms, half)) == Exit.PARTIAL
    whole = found(view(DEPLOYMENT=[valid(STOPPED)], CONFIGURATION=[valid(CHANGED)]))
    assert ended(outcome(before.symptoms, whole)) == Exit.OK


def test_out_of_sight_is_not_repaired() -> None:
    realm = "realm is as declared"
    extra = Finding("client x is declared", Verdict.INVALID, found="it is there", remedy=Remedy.update(), source=realm)
    before = found(view(CONFIGURATION=[extra]))
    (symptom,) = before.symptoms
    rest = replace(valid(CHANGED), source=realm)
    assert proven(symptom, found(view(CONFIGURATION=[rest]))), "its check has run again, and it is not there"
    unlooked = {
        "another check has run": view(CONFIGURATION=[valid(CHANGED)]),
        "its check found something else": view(CONFIGURATION=[replace(CHANGED, source=realm)]),
        "its check had no answer": view(CONFIGURATION=[replace(DARK, source=realm)]),
        "its phase was not checked": view(DEPLOYMENT=[valid(STOPPED)]),
        "the country could not be read": view_of(Snapshot("FRA", True)),
    }
    for why, own in unlooked.items():
        assert not proven(symptom, found(own)), why
    assert ended(outcome(before.symptoms, found(unlooked["its check had no answer"]))) == Exit.UNKNOWN


def test_decisions_that_were_not_asked_again_are_left() -> None:
    """The update failed in VERIFICATION, so users were not logged in again."""
    wrong = Finding("FRA denies doc-1", Verdict.INVALID, found="200", remedy=Remedy.update(), source="a user logs in")
    before = found(view(VERIFICATION=[valid(STOPPED), wrong]))
    after = found(view(VERIFICATION=[valid(STOPPED)]))
    result = outcome(before.symptoms, after)
    assert (len(result.repaired), [s.check for s in result.left]) == (0, ["FRA denies doc-1"])
    assert ended(result) != Exit.OK
    console = Console(width=200, file=io.StringIO())
    console.print(report.proof(result, after, 4, console))
    assert isinstance(console.file, io.StringIO)
    shown = [line.strip() for line in console.file.getvalue().splitlines()]
    assert shown[1:3] == [
        "? VERIFICATION  not so: FRA denies doc-1; found 200; not checked again",
        "next: ./dive repair FRA",
    ]
    assert shown[3].endswith("0 of 1 repaired and proven in 4 s · 1 left, 1 of them not checked again")


def test_one_cause_of_many_is_repaired_when_all_of_them_are_checked_again() -> None:
    realm, users = (replace(DARK, check=f"{what} is as declared", source=what) for what in ("realm", "users"))
    before = found(view(CONFIGURATION=[realm], SEEDING=[users]))
    (symptom,) = before.symptoms
    assert not proven(symptom, found(view(CONFIGURATION=[valid(realm)])))
    assert proven(symptom, found(view(CONFIGURATION=[valid(realm)], SEEDING=[valid(users)])))


def test_a_record_that_admits_no_one_at_present_is_awaited_and_nothing_is_altered() -> None:
    full = Failed("record", "it does not admit anyone at present", Remedy.wait(f"end sessions, then: {UP}"))
    assert steps(found(view_of(Snapshot("FRA", True, StackState("fra", 10, None), failed=(full,))))) == []


@pytest.mark.parametrize("source", ["state", "engine", "record"])
def test_a_source_that_was_not_asked_again_has_not_answered(source: Source) -> None:
    silent = Snapshot("FRA", True, failed=(Failed(source, "no answer", Remedy.update()),))
    symptom = next(s for s in found(view_of(silent)).symptoms if s.where == source)
    assert not proven(symptom, found(view_of(Snapshot("FRA", True)))), "nobody asked it"
    assert proven(symptom, found(view_of(situations.country())))


# Whichever subset of checks disappears or becomes unknown between two passes, no more counts as repaired.

_VERDICTS = st.sampled_from([Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN])
_CHECKS = {(phase, n): (f"{phase} {n}a", f"{phase} {n}b") for phase in Phase for n in (1, 2)}
_NAMES = [finding for findings in _CHECKS.values() for finding in findings]
_SOURCES: tuple[Source, ...] = ("state", "engine", "record")


@st.composite
def passes(draw: st.DrawFn) -> Snapshot:
    """A country with any verdicts, in which some objects do not exist."""
    verdicts = {name: draw(_VERDICTS) for name in _NAMES}
    absent = draw(st.sets(st.sampled_from(_NAMES)))
    phases: dict[Phase, Validation] = {}
    for (phase, n), names in _CHECKS.items():
        findings = [
            Finding(
                name, verdicts[name], found=draw(st.sampled_from(["a", "b"])), remedy=Remedy.update(), source=f"{n}"
            )
            for name in names
            if name not in absent
        ]
        phases[phase] = Validation((*(phases[phase].findings if phase in phases else ()), *findings), 0.1)
    record = situations.record(
        links=draw(st.sampled_from([situations.record().links, ()])),
        steps={p: situations.step(p) for p in Phase if draw(st.booleans())},
        current=Current(draw(st.sampled_from([State.COMPLETE, State.FAILED])), State.VERIFYING, NOON, "it ended", "r"),
    )
    return situations.country(phases=phases, record=record)


@st.composite
def dimmed(draw: st.DrawFn, country: Snapshot) -> Snapshot:
    """The same country, of which less is seen."""
    phases = dict(country.phases)
    for phase in draw(st.sets(st.sampled_from([*Phase]))):
        del phases[phase]
    gone = draw(st.sets(st.sampled_from(sorted(_CHECKS))))
    dark = draw(st.sets(st.sampled_from(sorted(_CHECKS))))
    for phase, validation in phases.items():
        left: list[Finding] = []
        for f in validation.findings:
            where = (phase, int(f.source))
            if where in gone:
                continue
            left.append(replace(f, verdict=Verdict.UNKNOWN, found="no answer") if where in dark else f)
        phases[phase] = Validation(tuple(left), validation.seconds)
    silent = draw(st.sets(st.sampled_from(_SOURCES)))
    failed = tuple(Failed(s, "no answer", Remedy.update()) for s in silent if draw(st.booleans()))
    country = replace(country, phases=phases, failed=failed)
    country = replace(country, record=None) if "record" in silent else country
    country = replace(country, names=None) if "engine" in silent else country
    return replace(country, stack=None) if "state" in silent else country


@given(st.data())
def test_seeing_less_never_repairs_more(data: st.DataObject) -> None:
    before, after = data.draw(passes()), data.draw(passes())
    seen = view_of(before).symptoms
    full, less = (Diagnosis(view_of(country)) for country in (after, data.draw(dimmed(after))))
    repaired, fewer = (outcome(seen, diagnosed).repaired for diagnosed in (full, less))
    assert set(map(id, fewer)) <= set(map(id, repaired))


@given(passes(), passes())
def test_every_symptom_is_either_repaired_or_left(before: Snapshot, after: Snapshot) -> None:
    seen = view_of(before).symptoms
    result = outcome(seen, Diagnosis(view_of(after)))
    repaired = {s.key for s in result.repaired}
    told = {subject for s in (*result.repaired, *result.left) for subject in s.subjects}
    for symptom in seen:
        assert symptom.key in repaired or not told.isdisjoint(symptom.subjects)
    assert repaired.isdisjoint(s.key for s in result.unproven)


def test_a_lost_data_volume_names_both_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(parse("FRA"), "t")
    spec = InitializationSpec(names, "fra-1", (), (names.data_volume("redis"),), (), "")
    monkeypatch.setattr(objects, "connect", lambda: EMPTY)
    volumes = next(check for check in initialization.checks(spec) if check.topic == "volumes")
    (lost,) = runner.run([volumes], 5).findings
    assert "restore it: docker volume create --label dive.class=core" in str(lost.remedy)
    assert "--label dive.stack=fra-1 t-fra-redis-data, put the backup into it" in str(lost.remedy)
    assert "DIVE_ACCEPT_LOSS=t-fra-redis-data pulumi up -s fra" in str(lost.remedy)
    shut = found(view(INITIALIZATION=[lost], DEPLOYMENT=[STOPPED]))
    assert steps(shut) == []


def test_a_report_that_was_altered_is_written_again(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    well = view(VERIFICATION=[valid(STOPPED)])
    stack = StackState("fra", 10, None, report=ReportState(str(file), "as it was written"))
    gone = found(view_of(replace(well.country, stack=stack)))
    assert [(s.where, s.found) for s in gone.symptoms] == [("report", "is gone")]
    assert steps(gone) == [("update", "FRA")]
    file.write_text("as it was written")
    assert not found(view_of(replace(well.country, stack=stack))).symptoms


def test_a_failed_update_is_tried_again_and_the_choice_it_reported_is_the_next_step() -> None:
    told = "accept the loss, in this one run: DIVE_ACCEPT_LOSS=keycloak ./dive up FRA"
    failure = Failure("CHANGE_FAILED", "DatabaseLogins", "database keycloak is gone", NOON, "r", 1.0, told)
    current = Current(State.FAILED, State.DEPLOYING, NOON, "it failed", "r")
    country = replace(view().country, record=Overview(NOON, current, 1.0, None, {}, (), (failure,)))
    failed = Diagnosis(view_of(country))
    (symptom,) = failed.symptoms
    assert steps(failed) == [("update", "FRA")]
    assert repair.next_step(symptom, failed).endswith("DIVE_ACCEPT_LOSS=keycloak ./dive up FRA")
