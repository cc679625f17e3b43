"""The history of a country's runs, from Pulumi and the record."""

from datetime import UTC, datetime, timedelta

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.diagnosis.history import RunHistory, markdown, runs
from dive_infra.orchestration.events import Event
from dive_infra.orchestration.states import Phase

FRA = Names(parse("FRA"))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def proven(phase: Phase, seconds: float, run: str, why: str = "for the first time") -> Event:
    return Event("checkpoint", at(seconds), run, "ada@host", phase, why)


FIRST = [proven(phase, 10.0 * (place + 1), "r1") for place, phase in enumerate(Phase)]


def test_a_run_that_changed_nothing_is_known_by_pulumis_own_history() -> None:
    known = [
        RunHistory("update", "succeeded", at(0), at(60), {"create": 163}),
        RunHistory("update", "succeeded", at(100), at(112), {"same": 163}),
    ]
    second, first = runs("FRA", known, FIRST).runs
    assert [p.outcome for p in first.phases] == ["ran"] * 6
    assert [p.seconds for p in first.phases] == [10.0] * 6
    assert first.saved is None
    assert [p.outcome for p in second.phases] == ["skipped"] * 6
    assert (second.seconds, second.saved) == (12.0, 48.0)


def test_a_phase_that_ran_again_says_why() -> None:
    known = [
        RunHistory("update", "succeeded", at(0), at(60)),
        RunHistory("update", "succeeded", at(100), at(130)),
    ]
    again = [proven(Phase.SEEDING, 115, "r2", "not valid: batch resources"), proven(Phase.VERIFICATION, 129, "r2")]
    run = runs("FRA", known, [*FIRST, *again]).runs[0]
    assert [p.outcome for p in run.phases] == ["skipped"] * 4 + ["ran"] * 2
    assert run.phases[4].why == "not valid: batch resources"
    assert run.phases[5].seconds == 14.0
    assert "| SEEDING | ran | 15 | not valid: batch resources |" in markdown(runs("FRA", known, [*FIRST, *again]))


def test_a_run_that_was_killed_is_known_by_the_record_alone() -> None:
    report = runs("FRA", [], FIRST[:2])
    (run,) = report.runs
    assert (run.result, run.runs) == ("interrupted", ["r1"])
    assert [p.outcome for p in run.phases] == ["ran"] * 2 + ["not reached"] * 4


def test_a_run_that_failed_names_the_phase_and_the_error() -> None:
    error = Event("error", at(40), "r1", "", Phase.DEPLOYMENT, "2 containers are not healthy\nmore")
    (run,) = runs("FRA", [RunHistory("update", "failed", at(0), at(41))], [*FIRST[:2], error]).runs
    assert [p.outcome for p in run.phases] == ["ran", "ran", "failed"] + ["not reached"] * 3
    assert run.error == "2 containers are not healthy"


def test_without_the_record_nothing_is_said_of_single_phases() -> None:
    report = runs("FRA", [RunHistory("update", "succeeded", at(0), at(60))], None)
    assert not report.recorded
    assert report.runs[0].phases == []


def test_a_failure_that_is_recorded_after_the_update_ended_is_of_that_update() -> None:
    error = Event("error", at(45), "r1", "", Phase.DEPLOYMENT, "no such image")
    failed = Event("transition", at(45), "r1", "ada@host", "FAILED", "DEPLOYMENT: no such image")
    known = [RunHistory("update", "failed", at(0), at(41)), RunHistory("update", "succeeded", at(60), at(90))]
    later, run = runs("FRA", known, [error, failed, proven(Phase.DEPLOYMENT, 62, "r2")]).runs
    assert (run.error, later.error) == ("no such image", "")
    assert [p.outcome for p in run.phases] == ["skipped", "skipped", "failed"] + ["not reached"] * 3
    assert later.phases[2].outcome == "ran"
