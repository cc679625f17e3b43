"""The history of a country as it is shown: one line for each run, and the details of those that are asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.automation.state_export import NotDeployed
from dive_infra.cli import history as verb
from dive_infra.cli import history_table
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.diagnosis.history import HistoryReport, RunHistory, markdown, runs
from dive_infra.orchestration.events import Event
from dive_infra.orchestration.states import Phase
from tests.unit.diagnosis.situations import drawn, held

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ERROR = "dive-fra-opa: stopped (exit code 137), out of memory; expected running, healthy"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def proven(phase: Phase, seconds: float, run: str, why: str) -> Event:
    return Event("checkpoint", at(seconds), run, "ada@host", phase, why)


def report(code: str = "FRA") -> HistoryReport:
    first = [proven(phase, 10.0 * (place + 1), "r1", "for the first time") for place, phase in enumerate(Phase)]
    known = [
        RunHistory("update", "succeeded", at(0), at(65), {"create": 163}),
        RunHistory("update", "failed", at(100), at(141), {"same": 163}),
        RunHistory("update", "succeeded", at(200), at(212), {"same": 163}),
        RunHistory("update", "succeeded", at(300), at(330), {"same": 161, "update": 2}),
        RunHistory("destroy", "failed", at(400), at(402)),
    ]
    events = [
        *first,
        Event("error", at(140), "r2", "", Phase.DEPLOYMENT, ERROR),
        proven(Phase.VERIFICATION, 329, "r4", "it was proven 412 s ago; a proof counts for 300 s"),
        proven(Phase.PREFLIGHT, 350, "r5", "for the first time"),
    ]
    return runs(code, known, events)


@pytest.mark.parametrize("width", [80, 120])
def test_a_run_is_one_line(width: int) -> None:
    text = drawn(lambda console: history_table.table(report(), console), width)
    assert len(text.splitlines()) == 1 + len(report().runs)
    assert max(map(len, text.splitlines())) <= width
    held(f"history-{width}", text)


@pytest.mark.parametrize("width", [80, 120])
def test_the_details_have_each_phase_and_an_error_once(width: int) -> None:
    text = drawn(lambda console: history_table.table(report(), console, details=True), width)
    assert " ".join(text.split()).count("out of memory") == markdown(report()).count("out of memory") == 1
    assert "next:" not in text
    assert "12:01:40 UTC" in text
    held(f"history-details-{width}", text)


def test_the_phases_before_one_that_failed_were_skipped() -> None:
    failed = next(run for run in report().runs if run.number == 2)
    assert [p.outcome for p in failed.phases] == ["skipped"] * 2 + ["failed"] + ["not reached"] * 3


@pytest.fixture
def coalition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stack files, of which one country is not deployed."""
    for name in ("usa", "fra", "deu"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")

    def collect(code: str) -> HistoryReport:
        if code == "DEU":
            raise NotDeployed("DEU is not deployed; next: ./dive up DEU")
        return report(code)

    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(verb, "prepare_to_read", lambda: None)
    monkeypatch.setattr(verb, "collect", collect)


@pytest.mark.usefixtures("coalition")
def test_without_a_country_all_are_shown_and_one_without_runs_hides_no_other() -> None:
    done = CliRunner().invoke(app, ["history"])
    assert [line[:3] for line in done.stdout.splitlines() if line[0] != " "] == ["USA", "FRA"]
    assert "DEU is not deployed" in done.stderr
    assert done.exit_code == 1


@pytest.mark.usefixtures("coalition")
def test_the_number_of_a_run_shows_its_details() -> None:
    done = CliRunner().invoke(app, ["history", "FRA", "2"])
    assert done.exit_code == 0
    assert "DEPLOYMENT     failed" in done.stdout
    assert "destroy" not in done.stdout
    missing = CliRunner().invoke(app, ["history", "FRA", "77"])
    assert (missing.exit_code, "FRA has no run 77; expected 1 to 6" in missing.stderr) == (2, True)


@pytest.mark.usefixtures("coalition")
def test_json_of_a_country_is_one_report_and_of_all_a_list() -> None:
    one = CliRunner().invoke(app, ["history", "FRA", "--json", "--last", "1"]).stdout
    assert HistoryReport.model_validate_json(one).runs[0].number == 6
    everyone = CliRunner().invoke(app, ["history", "--json"]).stdout
    assert [line for line in everyone.splitlines() if '"code"' in line] == ['    "code": "USA",', '    "code": "FRA",']
