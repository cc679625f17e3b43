"""`./dive status` and `./dive doctor` as commands."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.cli import environment
from dive_infra.cli import status as status_verb
from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import Exit
from dive_infra.config import paths
from tests.unit.diagnosis.situations import CASES


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A coalition of two stack files whose France is stopped."""
    for name in ("usa", "fra"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(status_verb, "prepare_to_read", lambda: None)
    monkeypatch.setattr(status_verb, "Export", str)
    monkeypatch.setattr(status_verb, "observe", lambda _, deadline: CASES["stopped"][0])


@pytest.mark.usefixtures("looked_at")
def test_the_verb_ends_with_what_was_found_and_prints_nothing_but_json() -> None:
    result = CliRunner().invoke(app, ["status", "FRA", "--json"])
    assert result.exit_code == json.loads(result.stdout)["exit_code"] == 1
    shown = CliRunner().invoke(app, ["status", "FRA"])
    assert (shown.exit_code, "next: ./dive up FRA" in shown.stdout, "\x1b" in shown.stdout) == (1, True, False)
    both = json.loads(CliRunner().invoke(app, ["status", "--all", "--json"]).stdout)
    assert len(both["countries"]) == 2


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["FRX"], "did you mean FRA?"),
        (["FRA", "--all"], "exclude each other"),
        (["--watch", "--json"], "leave one out"),
    ],
)
def test_wrong_use_says_what_to_do(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["status", *arguments])
    assert result.exit_code == Exit.UNKNOWN
    assert told in result.stderr


@pytest.mark.usefixtures("looked_at")
def test_watching_ends_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status_verb.time, "sleep", interrupt)
    result = CliRunner().invoke(app, ["status", "FRA", "--watch"])
    assert result.exit_code == Exit.INTERRUPTED
    assert "next: ./dive up FRA" in result.stdout


def test_a_machine_without_pulumi_is_reported_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.toolchain, "find", lambda *_: None)
    result = CliRunner().invoke(app, ["status", "FRA"])
    assert result.exit_code == Exit.UNKNOWN
    assert "next: ./dive env" in result.stderr
