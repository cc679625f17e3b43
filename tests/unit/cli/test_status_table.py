"""The table of `./dive status`.

`REGENERATE=1 pytest tests/unit/cli/test_status_table.py` writes the expected outputs again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dive_infra.checks.ca_rotation import UnderWay
from dive_infra.cli import status as status_verb
from dive_infra.cli import status_table
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import StatusReport
from dive_infra.membership.ca_rotation import Step
from tests.unit.diagnosis.situations import CASES, NOON, drawn, held, report


@pytest.mark.parametrize("name", CASES)
def test_a_row_has_one_verdict_and_a_problem_one_sentence_and_one_next_command(name: str) -> None:
    text = drawn(lambda console: status_table.table(report(name), console), 200)
    for line in text.splitlines():
        assert not ("✓" in line and "failed" in line.lower())
        assert line.count("next:") + line.count("✗") + line.count("; expected") <= 2
    assert text.count("next: ") == len({line for line in text.splitlines() if line.strip().startswith("next: ")})


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", CASES)
def test_the_table_looks_as_recorded(name: str, width: int) -> None:
    text = drawn(lambda console: status_table.table(report(name), console), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    held(f"status-{name}-{width}", text)


def test_marks_are_ascii_where_the_terminal_has_no_others() -> None:
    text = drawn(lambda console: status_table.table(report("stopped", "links"), console), 120, "ascii")
    assert " ok PREFLIGHT" in text
    assert " xx " in text
    assert "?" not in text, "no sign was lost"


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(console: Console) -> Any:
        return status_table.table(report("stopped"), console)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in drawn(table, 120, colours=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in drawn(table, 120, colours=True)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A coalition of two stack files whose France is stopped."""
    for name in ("usa", "fra"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(status_verb, "prepare_to_read", lambda: None)
    monkeypatch.setattr(status_verb, "Export", str)
    monkeypatch.setattr(status_verb, "observe", lambda _, deadline: CASES["stopped"][0])


def coalition(count: int) -> StatusReport:
    """Return a report on this many countries: all well but those of `CASES` which come first."""
    chosen = ("stopped", "interrupted", "blind", "no-record", "not-deployed", "undeclared", "running")
    codes = list(COUNTRIES)[:count]
    seen = [judge(CASES[name][0]) for name in (*chosen, *["well"] * (count - len(chosen)))]
    found = [
        c.model_copy(update={"code": code, "name": COUNTRIES[code].name}) for c, code in zip(seen, codes, strict=True)
    ]
    return StatusReport(at=NOON, seconds=1.5, exit_code=1, countries=found)


@pytest.mark.parametrize("width", [80, 120])
def test_a_whole_coalition_fits_one_screen_with_a_line_for_each_country(width: int) -> None:
    text = drawn(lambda console: status_table.short_table(coalition(31), console), width)
    lines = text.splitlines()
    assert len(lines) == 32
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("31 countries, 6 with problems; details: ./dive status ")
    held(f"status-short-{width}", text)


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(
    ("arguments", "rows"),
    [(["FRA", "--short"], 2), (["--all"], 2 * 14 + 1), (["--all", "--short"], 3)],
    ids=["asked for", "few countries", "few countries, asked for"],
)
def test_few_countries_have_all_details_unless_one_line_is_asked_for(arguments: list[str], rows: int) -> None:
    assert len(CliRunner().invoke(app, ["status", *arguments]).stdout.splitlines()) == rows


@pytest.mark.usefixtures("looked_at")
def test_many_countries_have_one_line_each_by_default(tmp_path: Path) -> None:
    for code in list(COUNTRIES)[:8]:
        (tmp_path / f"Pulumi.{code.lower()}.yaml").write_text("config: {}\n")
    count = len(list(tmp_path.glob("Pulumi.*.yaml")))
    assert len(CliRunner().invoke(app, ["status"]).stdout.splitlines()) == count + 1
    assert len(CliRunner().invoke(app, ["status", "--long"]).stdout.splitlines()) > 8 * count


def test_a_rotation_of_a_countrys_keys_shows_what_it_waits_for() -> None:
    seen = replace(CASES["well"][0], keys={"USA": "goes by a document without the new keys"})
    made = StatusReport(at=NOON, seconds=1.5, exit_code=0, countries=[judge(seen)])
    text = drawn(lambda console: status_table.table(made, console), 120)
    assert "    the keys of FRA are being replaced: ./dive rotate-keys FRA --finish\n" in text
    assert "    it waits for USA, which goes by a document without the new keys\n" in text
    assert "are being replaced" not in drawn(
        lambda console: status_table.table(made.model_copy(update={"countries": [judge(CASES["well"][0])]}), console),
        120,
    )


def test_a_rotation_of_the_ca_shows_what_it_waits_for() -> None:
    under_way = UnderWay(Step.CONTINUE, {"DEU": "does not trust the new CA yet"})
    seen = replace(CASES["well"][0], rotation=under_way)
    made = StatusReport(at=NOON, seconds=1.5, exit_code=0, countries=[judge(seen)])
    text = drawn(lambda console: status_table.table(made, console), 120)
    assert "    the coalition's CA is being replaced: ./dive rotate-ca --continue\n" in text
    assert "    it waits for DEU, which does not trust the new CA yet\n" in text
