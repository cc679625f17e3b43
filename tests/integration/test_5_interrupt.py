"""A deployment that is asked to stop, killed, or started twice: what it says and leaves, and that the next continues.

Each test changes how many documents are seeded, and meets the deployment in the middle of writing them. It starts from
what the test before has left: where that one has stopped its deployment, this one goes on.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import docker
import psutil
import pytest

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.recovery import pending_operations
from dive_infra.config.environment import STEPS
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.orchestration.states import State
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, record
from tests.faults.killing import Boundaries, Point

pytestmark = pytest.mark.timeout(1500)

WRITING = Point("before", "insert documents")
PATIENCE = 240
NUMBERS = count(301)

# What `./dive up` does for one country of a coalition that is elsewhere.
PROGRAM = """
import sys
from pathlib import Path
import typer
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.cli.progress import REPORTER, ends_on_failure
try:
    with ends_on_failure():
        deploy(Runner(sys.argv[1], file=Path(sys.argv[2])), REPORTER)
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""


def begin(runner: Runner, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, runner.name, str(runner.file)],
        cwd=ROOT,
        env={**runner.environment, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(running: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code and stderr."""
    _, said = running.communicate(timeout=PATIENCE)
    return running.returncode, said


@pytest.fixture
def wanted(fra: Country) -> int:
    """How many documents France declares now, and has not."""
    number = next(NUMBERS)
    fra.configuration["dive:documents"] = number
    return number


@pytest.fixture
def midway(fra: Country, wanted: int) -> Iterator[tuple["subprocess.Popen[str]", Boundaries]]:
    """The command in the middle of writing documents."""
    with Boundaries(lambda point: point == WRITING) as boundaries:
        running = begin(fra.runner, **{STEPS: str(boundaries.path)})
        try:
            assert boundaries.reached.wait(PATIENCE), end(running)
            yield running, boundaries
        finally:
            boundaries.let_go()
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()


def pulumi(running: "subprocess.Popen[str]") -> psutil.Process:
    """Return the Pulumi process of the command."""
    return next(p for p in psutil.Process(running.pid).children() if p.name() == "pulumi")


def is_complete(fra: Country, number: int) -> None:
    with connect(documents(fra)) as database:
        assert database["resources"].count_documents({}) == number
    with record(fra) as store:
        current, holder = store.current("FRA"), store.holder("FRA")
    assert current
    assert current.state == State.COMPLETE
    assert holder is None
    assert not pending_operations(fra.state())
    assert not [*(fra.home / "state" / ".pulumi" / "locks").rglob("*.json")]


def ctrl_c(running: "subprocess.Popen[str]", _boundaries: Boundaries) -> None:
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to everybody


def ctrl_c_twice(running: "subprocess.Popen[str]", boundaries: Boundaries) -> None:
    ctrl_c(running, boundaries)
    time.sleep(1)  # as a person does: Pulumi takes two at once for one
    ctrl_c(running, boundaries)
    pulumi(running).wait(PATIENCE)


def sigterm(running: "subprocess.Popen[str]", _boundaries: Boundaries) -> None:
    running.send_signal(signal.SIGTERM)


@pytest.mark.whole  # the command's part, with processes of its own: `unit/automation/test_deploy.py`
@pytest.mark.parametrize("stop", [ctrl_c, ctrl_c_twice, sigterm], ids=lambda s: s.__name__)
def test_who_stops_it_learns_how_to_go_on(
    midway: tuple["subprocess.Popen[str]", Boundaries],
    stop: Callable[["subprocess.Popen[str]", Boundaries], None],
) -> None:
    """The tests after it go on."""
    running, boundaries = midway
    stop(running, boundaries)
    boundaries.let_go()
    code, said = end(running)
    assert code == 130, said
    assert "was interrupted; what is done is kept; next: ./dive up FRA" in said


def test_a_second_deployment_is_refused_and_shown_the_first_and_continues_it_once_it_was_killed(
    usa: Country, fra: Country, wanted: int, tmp_path: Path, midway: tuple["subprocess.Popen[str]", Boundaries]
) -> None:
    """Refused by Pulumi's lock; and from another state, which has none, by the record."""
    running, _ = midway
    engine = pulumi(running)
    started = time.monotonic()
    code, said = end(begin(fra.runner))
    took = time.monotonic() - started
    assert code == 3, said
    first = f"root (pid {engine.pid} on {socket.gethostname()}"
    assert f"FRA is being deployed by {first}, since " in said
    assert ", phase SEEDING; next: wait for it to end, then: ./dive up FRA" in said
    assert took < 20

    other = tmp_path / "home"
    shutil.copytree(fra.home, other, ignore=shutil.ignore_patterns("locks"))
    code, said = end(begin(replace(fra, home=other).runner))
    assert code == 3, said
    assert "FRA is being deployed by root@" in said
    assert "phase SEEDING" in said

    engine.kill()
    code, said = end(running)
    assert code == 1, said

    code, said = end(begin(fra.runner))
    assert code == 0, said
    assert f"cleared the lock of {first}" in said
    is_complete(fra, wanted)


@pytest.mark.whole
def test_a_record_that_goes_away_stops_the_run_and_the_next_goes_on(
    usa: Country,
    fra: Country,
    wanted: int,
    docker_engine: docker.DockerClient,
    midway: tuple["subprocess.Popen[str]", Boundaries],
) -> None:
    running, boundaries = midway
    postgres = docker_engine.containers.get(usa.names.container("postgres"))
    postgres.kill()
    boundaries.let_go()
    code, said = end(running)
    assert code == 1, said
    postgres.start()
    await_healthy(docker_engine, usa.names.container("postgres"), PATIENCE)

    code, said = end(begin(fra.runner))
    assert code == 0, said
    is_complete(fra, wanted)
