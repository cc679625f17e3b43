"""A locked stack: the lock of a dead run is cleared by itself, any other is left and reported. Without containers."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.recovery import pending_operations, recover
from dive_infra.config.paths import ROOT
from tests.support.reporter import RecordingReporter

pytestmark = pytest.mark.timeout(120)

# A resource whose making never ends, and one that is made.
PROGRAM = """
import time
from pathlib import Path
from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        if props["ends"]:
            return CreateResult("done", props)
        Path("begun").touch()
        time.sleep(60)

class Thing(Resource):
    def __init__(self, name, ends, opts=None):
        super().__init__(Provider(), name, {"ends": ends}, opts)

first = Thing("first", True)
Thing("second", not Path("hang").exists(), ResourceOptions(depends_on=[first]))
"""
PROJECT = f"""
name: dive
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {ROOT / ".venv"}}}}}
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A small program of its own, with a state of its own."""
    monkeypatch.setattr("dive_infra.automation.recovery.HOME", tmp_path / "home")
    monkeypatch.setattr("dive_infra.automation.recovery.refuse_foreign", lambda *_: None)  # its provider is its own
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    variables = {"PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "only-for-tests"}
    # It is not the program that the policy pack judges.
    others = {"PULUMI_CONFIG_PASSPHRASE_FILE": "", "PULUMI_OPTION_POLICY_PACK": ""}
    return Runner("fra", tmp_path, variables={**variables, **others})


@contextmanager
def deploying(runner: Runner) -> Iterator["subprocess.Popen[bytes]"]:
    """A run in the middle of making `second`; all its processes end with the block."""
    recover(runner, RecordingReporter())
    (runner.folder / "hang").touch()
    command = [*runner.command("up", "--yes", "--skip-preview"), "--non-interactive"]
    with subprocess.Popen(command, cwd=runner.folder, env=runner.environment, stdout=subprocess.DEVNULL) as running:
        ends = time.monotonic() + 60
        while not (runner.folder / "begun").exists():
            assert running.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)
        family = psutil.Process(running.pid).children(recursive=True)
        yield running
        for process in [running, *family]:
            if process.is_running() if isinstance(process, psutil.Process) else process.poll() is None:
                process.kill()
    (runner.folder / "hang").unlink()


def locks(runner: Runner) -> list[Path]:
    return [*(runner.folder / "state" / ".pulumi" / "locks").rglob("*.json")]


def test_the_lock_of_a_killed_run_and_its_pending_operations_are_cleared_and_named(runner: Runner) -> None:
    with deploying(runner) as running:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert len(locks(runner)) == 1
    assert [op["type"] for op in pending_operations(runner.state())] == ["creating"]

    reporter = RecordingReporter()
    left = recover(runner, reporter).state
    assert not locks(runner)
    assert not pending_operations(left)
    assert [r["urn"].rsplit("::")[-1] for r in left["deployment"]["resources"] if r.get("id")][-1] == "first"
    told = reporter.text
    assert f"cleared the lock of root (pid {running.pid} on {socket.gethostname()}, since" in told
    assert f"no process with pid {running.pid}" in told
    assert "creating second" in told
    runner.ask("up", "--yes", "--skip-preview")
    assert not pending_operations(runner.state())


def test_the_lock_of_a_run_that_lives_is_left_and_reported(runner: Runner) -> None:
    with deploying(runner) as running:
        started = time.monotonic()
        with pytest.raises(CountryLocked) as refusal:
            recover(runner, RecordingReporter())
        took = time.monotonic() - started
        assert locks(runner)
        assert running.poll() is None
    told = str(refusal.value)
    assert f"FRA is being deployed by root (pid {running.pid} on {socket.gethostname()}, since" in told
    assert "next: wait for it to end, then: ./dive up FRA" in told
    assert took < 10


def test_a_free_stack_costs_no_more_than_one_command_of_pulumi(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    recover(runner, RecordingReporter())
    asked: list[str] = []
    ask = Runner.run
    monkeypatch.setattr(Runner, "run", lambda *given, **how: asked.append(" ".join(given[1:])) or ask(*given, **how))
    recover(runner, RecordingReporter())
    assert asked == ["stack export --show-secrets"]


def test_a_lock_of_another_host_is_left_and_reported(runner: Runner) -> None:
    recover(runner, RecordingReporter())
    lock = runner.folder / "state/.pulumi/locks/organization/dive/fra/1.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(
        json.dumps({"pid": 1, "username": "anne", "hostname": "elsewhere", "timestamp": "2026-11-24T22:30:00Z"})
    )
    with pytest.raises(CountryLocked) as refusal:
        recover(runner, RecordingReporter())
    assert lock.exists()
    told = str(refusal.value)
    assert "FRA is locked by anne (pid 1 on elsewhere, since 2026-11-24 22:30:00 UTC)" in told
    assert "elsewhere is another host" in told
    assert "pulumi cancel -s fra" in told


@pytest.mark.parametrize("content", ["", '{"pid": 4'])
def test_a_lock_that_a_power_failure_cut_off_is_cleared_and_named(runner: Runner, content: str) -> None:
    recover(runner, RecordingReporter())
    lock = runner.folder / "state/.pulumi/locks/organization/dive/fra/x.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(content)
    with pytest.raises(CountryLocked, match=r"an unknown process \(x\.json .*next: if no run is: rm .*x\.json, then"):
        recover(runner, RecordingReporter())
    os.utime(lock, (time.time() - 3600,) * 2)
    reporter = RecordingReporter()
    recover(runner, reporter)
    assert not lock.exists()
    assert "fra: cleared the lock of an unknown process (x.json " in reporter.text
