"""How the command reports steps and failures."""

import pytest
import typer

from dive_infra.automation.failures import CountryLocked, PartlyDeployed, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.cli import progress
from dive_infra.cli.exits import Exit
from dive_infra.engines.engine import EngineError
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy


@pytest.mark.parametrize(
    ("seconds", "lines", "shown"),
    [(0.0, [], ""), (1.2, [], "✓ Pulumi (1.2 s)"), (0.0, ["built"], "0.0 s  built\n✓ Pulumi (0.0 s)")],
    ids=["over at once", "slow", "with something to report"],
)
def test_a_step_is_shown_when_it_takes_time_or_has_something_to_report(
    monkeypatch: pytest.MonkeyPatch, seconds: float, lines: list[str], shown: str
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.console.capture() as captured, progress.step("Pulumi") as report:
        for line in lines:
            report(line)
        now[0] += seconds
    assert captured.get().strip() == shown


def test_a_line_with_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.console.capture() as shown, progress.step("images") as report:
        report("Step 3: RUN echo [/tmp] [red] done")
    assert "RUN echo [/tmp] [red] done" in shown.get()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CountryLocked("FRA is being deployed"), Exit.LOCKED),
        (UpdateInterrupted("`pulumi up -s fra` was interrupted"), Exit.INTERRUPTED),
        (PartlyDeployed("`pulumi up -s fra` failed"), Exit.PARTIAL),
        (UpdateFailed("`pulumi up -s fra` failed"), Exit.FINDINGS),
        (PulumiFailed("`pulumi cancel -s fra` failed"), Exit.FINDINGS),
    ],
)
def test_a_failure_below_the_verbs_ends_the_command_with_its_exit_code(
    error: DiveError, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, progress.ends_on_failure():
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"dive: {error}\n"


def test_a_failure_inside_a_step_is_shown_once_and_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.console.capture() as shown, pytest.raises(typer.Exit), progress.step("Docker engine"):
        raise EngineError("no engine; next: start it")
    assert "✗ Docker engine" in shown.get()
    assert capsys.readouterr().err == "dive: no engine; next: start it\n"


def test_what_a_command_did_is_said_before_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    error = PulumiFailed("pulumi is missing", Remedy.run("./dive env"))
    with pytest.raises(typer.Exit) as ended:
        progress.fail_with(error, "nothing was removed", Exit.UNKNOWN)
    assert ended.value.exit_code == Exit.UNKNOWN
    assert capsys.readouterr().err == "dive: pulumi is missing; nothing was removed; next: ./dive env\n"
