"""The command: wrong use ends with 2 and says what was found, before anything is prepared."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dive_infra.automation import drift
from dive_infra.automation.failures import CountryLocked, PartlyDeployed, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.checks.runner import Check
from dive_infra.cli import progress, stacks
from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import Exit
from dive_infra.config import paths
from dive_infra.engines.docker import engine
from dive_infra.engines.engine import EngineError
from dive_infra.images import resolution
from dive_infra.images.resolution import ResolvedImage
from dive_infra.orchestration.states import Phase
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["up", "FRR"], "country 'FRR' is not known: expected three capital letters such as FRA; did you mean FRA?"),
        (["up", "GBR"], "Pulumi.gbr.yaml does not exist, so GBR is not a country of this coalition"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config:\n  dive:documents: 3\n", "dive:documents: found 3, expected"),
        ("config: [\n", "Pulumi.usa.yaml cannot be read as YAML"),
    ],
)
def test_a_wrong_stack_file_is_told_before_anything_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text(text)
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    result = CliRunner().invoke(app, ["up", "USA"])
    assert result.exit_code == 2
    assert told in result.stderr


def test_secrets_of_a_stack_file_stay_encrypted_and_do_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config:\n  dive:secrets:\n    redis:\n      secure: v1:abc\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    assert [s.country for s in stacks.chosen(["usa"])] == ["USA"]


def test_the_list_of_images_says_what_is_on_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for country in ("usa", "fra"):
        (tmp_path / f"Pulumi.{country}.yaml").touch()
    monkeypatch.setattr(paths, "STACKS", tmp_path)

    def find(_: object, service: str, __: str) -> ResolvedImage | None:
        return ResolvedImage("sha256:" + "a" * 64, "dive/redis:1", "present") if service == "redis" else None

    monkeypatch.setattr(resolution, "find", find)
    monkeypatch.setattr(engine, "client", object)
    listed = {line.split()[0]: line for line in CliRunner().invoke(app, ["images", "list"]).stderr.splitlines()}
    assert listed["redis"].split()[2:] == ["dive/redis:1", "a" * 12]
    assert listed["mongodb"].endswith("not on the engine")


def test_the_list_of_images_names_an_engine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    result = CliRunner().invoke(app, ["images", "list"])
    assert result.exit_code == 1
    assert "no Docker engine answers at unix:///nonexistent/docker.sock (DOCKER_HOST)" in result.stderr


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(signal.SIGINT, os.killpg, id="Ctrl+C, which the terminal gives to both"),
        pytest.param(signal.SIGTERM, os.kill, id="SIGTERM, which comes to the command alone"),
    ],
)
def test_who_is_asked_to_stop_waits_for_pulumi_to_finish_what_it_has_begun(
    tmp_path: Path, number: signal.Signals, told: Callable[[int, int], None]
) -> None:
    done = tmp_path / "done"
    child = (
        f"import signal, time, pathlib; asked = []; signal.signal({number:d}, lambda *_: asked.append(1)); "
        "print('go', flush=True); time.sleep(1); "
        f"pathlib.Path({str(done)!r}).write_text(str(len(asked)))"
    )
    code = (
        "import os, pathlib; from dive_infra.automation.deploy import run_in_foreground as run; "
        f"print(run([{sys.executable!r}, '-c', {child!r}], pathlib.Path('.'), os.environ))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=paths.ROOT, start_new_session=True
    ) as command:
        assert command.stdout
        assert command.stdout.readline() == "go\n"
        time.sleep(0.1)
        told(command.pid, number)
        assert command.stdout.read() == "(0, True)\n"
    assert done.read_text() == "1", "Pulumi is told once"


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
    ("finding", "asks"),
    [
        (Finding("a client is as declared", Verdict.INVALID, remedy=Remedy.refresh("FRA")), True),
        (Finding("a mapper too many", Verdict.INVALID, remedy=Remedy.update()), False),
        (Finding("the partner's side", Verdict.INVALID, remedy=Remedy.refresh("DEU"), advisory=True), False),
        (Finding("Keycloak is away", Verdict.UNKNOWN, remedy=Remedy.refresh("FRA")), False),
    ],
    ids=["a refresh mends it", "any update mends it", "another stack mends it", "nobody knows"],
)
def test_up_refreshes_only_for_what_no_other_update_mends(
    monkeypatch: pytest.MonkeyPatch, finding: Finding, asks: bool
) -> None:
    monkeypatch.setattr(drift, "declared_specs", lambda _: {Phase.CONFIGURATION: "a specification"})
    monkeypatch.setattr(drift, "checks", lambda _: [Check("realm", "realm", lambda: [finding])])
    assert bool(drift.refresh_only_drift({})) is asks


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
