"""Running Pulumi in the foreground, and what becomes of an update that fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dive_infra.automation import deploy, failed_update
from dive_infra.automation.failures import CountryLocked, UpdateFailed
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config import environment, paths
from dive_infra.orchestration.access import Locked, Unreachable
from dive_infra.orchestration.records import Run
from dive_infra.orchestration.states import Phase
from dive_infra.plans.events import UpdateError
from dive_infra.results.errors import DiveError
from tests.support.reporter import RecordingReporter
from tests.unit.plans.events import CONTAINER, URN, said


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(signal.SIGINT, os.killpg, id="Ctrl+C, which the terminal gives to both"),
        pytest.param(signal.SIGTERM, os.kill, id="SIGTERM, which comes to the command alone"),
    ],
)
def test_who_is_asked_to_stop_waits_for_pulumi_to_finish_what_it_has_started(
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


STORE = {"host": "h", "port": 5432.0, "user": "orchestration", "password": "p", "ca": "c"}
CHECKPOINT = {"phase": "PREFLIGHT", "spec": "", "completed": "", "evidence": ""}
STATE: dict[str, Any] = {
    "deployment": {
        "resources": [
            {"type": "pulumi-python:dynamic/dive:Checkpoint", "inputs": {"store": STORE}, "outputs": CHECKPOINT}
        ]
    }
}
BROKEN = said("no such image", "error", URN.format(phase="Deployment", kind=CONTAINER, name="frontend"))
PULUMI = """#!/bin/sh
while [ "$1" != --event-log ]; do shift; done
printf '%s' "$EVENTS" > "$2"
echo "$DIVE_RUN_ID $PULUMI_DEBUG_COMMANDS" > "$SEEN"
[ -z "$KILLED" ] || kill -9 $$
exit 255
"""


class Recording:
    """What is recorded in place of the record, which raises `error` unless it is None."""

    def __init__(self, error: DiveError | None = None) -> None:
        self.error, self.calls = error, list[tuple[Run, str, UpdateError | None]]()

    def record(self, _access: object, run: Run, country: str, error: UpdateError | None) -> None:
        self.calls.append((run, country, error))
        if self.error:
            raise self.error


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A stack whose every update fails; `EVENTS` is what Pulumi logs of it."""
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    monkeypatch.setattr(Runner, "state", lambda _self: STATE)
    monkeypatch.delenv(environment.RUN_ID, raising=False)
    path, events = f"{tmp_path}:{os.environ['PATH']}", f"{BROKEN}\n" + BROKEN[:20]
    variables = {"PATH": path, "EVENTS": events, "SEEN": str(tmp_path / "seen"), "PULUMI_BACKEND_URL": ""}
    monkeypatch.setenv("PATH", path)
    return Runner("fra", tmp_path, variables=variables)


def test_an_update_that_failed_is_recorded_with_its_phase_as_the_run_that_it_was(
    failing: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording()
    monkeypatch.setattr(failed_update, "record", recording.record)
    with pytest.raises(UpdateFailed, match="its message above names the cause"):
        deploy.update(failing, RecordingReporter())
    [(run, country, error)] = recording.calls
    assert (country, error) == ("FRA", UpdateError(Phase.DEPLOYMENT, "no such image"))
    assert Path(failing.variables["SEEN"]).read_text() == f"{run.id} true\n"
    assert run.pid == os.getpid()


def test_a_record_that_does_not_answer_hides_no_failure(failing: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_update, "record", Recording(Unreachable("no answer at h:5432")).record)
    reporter = RecordingReporter()
    with pytest.raises(UpdateFailed, match="`pulumi up -s fra` failed"):
        deploy.update(failing, reporter)
    assert reporter.lines[-1].startswith("FRA: this failure is not in the record: no answer at h:5432")


def test_a_country_that_another_run_deploys_is_locked(failing: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_update, "record", Recording(Locked("FRA is being deployed by somebody")).record)
    with pytest.raises(CountryLocked):
        deploy.update(failing, RecordingReporter())


def test_an_update_that_was_killed_stays_an_interrupted_one(failing: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    monkeypatch.setattr(failed_update, "record", recording.record)
    with pytest.raises(UpdateFailed):
        deploy.update(replace(failing, variables={**failing.variables, "KILLED": "yes"}), RecordingReporter())
    assert recording.calls == []
