"""The lock and the state of a run: taken before its first change of any kind; a preview leaves no trace."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from dive_infra.config.paths import ROOT
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.dynamic.runtime.deployment_run import DeploymentRun
from dive_infra.orchestration.records import Run
from dive_infra.orchestration.states import Phase, State
from dive_infra.orchestration.store import Store, session
from dive_infra.results.remedy import UP, Remedy
from tests.support.record import Book


class Light(Provider):
    """Something that a deployment changes; it lists what was done to it."""

    done: list[str] = []  # noqa: RUF012 (of the class on purpose: providers have no attributes)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        if inputs.get("broken"):
            raise OSError("no bulb")
        if inputs.get("lost"):
            remedy = Remedy.decide("restore it", f"accept the loss: ACCEPT=light {UP}", country="FRA")
            raise ProviderError("the light is lost; its last log lines:\n    flicker", remedy)
        self.done.append("made")
        return "light", {}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Light, "done", [])


def state(book: Book) -> Any:
    with Store(book.owner) as store:
        current = store.current("FRA")
    return current and current.state


def test_looking_takes_no_lock_and_writes_nothing(orchestration: Book, run: DeploymentRun) -> None:
    run.pass_checkpoint("FRA", Phase.PREFLIGHT, orchestration.owner)
    Light().diff("light", {"a": 1}, {"a": 2})
    with Store(orchestration.owner) as store:
        assert store.holder("FRA") is None
        assert store.current("FRA") is None


def test_the_first_change_takes_the_lock_and_enters_initializing(orchestration: Book, run: DeploymentRun) -> None:
    run.pass_checkpoint("FRA", Phase.INITIALIZATION, orchestration.owner)
    Light().create({})
    assert state(orchestration) == State.INITIALIZING
    with Store(orchestration.owner) as store:
        holder = store.holder("FRA")
    assert holder
    assert holder.live
    assert holder.phase == Phase.DEPLOYMENT, "what changes after a checkpoint is of the next phase"
    session(orchestration.owner).close()


def test_nothing_is_changed_while_another_run_deploys_the_country(orchestration: Book, run: DeploymentRun) -> None:
    access = orchestration.owner
    with Store(access, Run("other", "somebody@else", "else", 7)) as other:
        other.hold("FRA", Phase.SEEDING)
        run.pass_checkpoint("FRA", Phase.PREFLIGHT, access)
        with pytest.raises(ProviderError, match=r"FRA is being deployed by somebody@else \(pid 7"):
            Light().create({})
    assert Light.done == []


def test_a_failed_change_is_a_failed_deployment_and_the_next_one_goes_on(
    orchestration: Book, run: DeploymentRun
) -> None:
    run.pass_checkpoint("FRA", Phase.PREFLIGHT, orchestration.owner)
    with pytest.raises(ProviderError, match="no bulb"):
        Light().create({"broken": True})
    assert state(orchestration) == State.FAILED
    assert orchestration.sql("SELECT component, message FROM orchestration_errors") == [("Light", "no bulb")]
    session(orchestration.owner).close()
    Light().create({})
    assert state(orchestration) == State.INITIALIZING
    session(orchestration.owner).close()


def test_a_failed_change_is_recorded_with_its_remedy_and_without_a_log(orchestration: Book, run: DeploymentRun) -> None:
    run.pass_checkpoint("FRA", Phase.PREFLIGHT, orchestration.owner)
    with pytest.raises(ProviderError, match="accept the loss: ACCEPT=light pulumi up -s fra"):
        Light().create({"lost": True})
    assert orchestration.sql("SELECT message, remediation FROM orchestration_errors") == [
        ("the light is lost; its last log lines:", "restore it, or accept the loss: ACCEPT=light ./dive up FRA")
    ]
    session(orchestration.owner).close()


def test_a_record_out_of_reach_does_not_hold_up_what_may_repair_it(orchestration: Book, run: DeploymentRun) -> None:
    run.pass_checkpoint("FRA", Phase.PREFLIGHT, replace(orchestration.owner, port=9))
    Light().create({})
    assert Light.done == ["made"]


def test_what_is_changed_makes_its_phase_run_again(orchestration: Book, run: DeploymentRun) -> None:
    run.pass_checkpoint("FRA", Phase.CONFIGURATION, orchestration.owner)
    assert not run.has_changed(Phase.SEEDING)
    Light().create({})
    assert run.has_changed(Phase.SEEDING)
    assert not run.has_changed(Phase.CONFIGURATION)
    session(orchestration.owner).close()


def test_what_is_to_be_made_makes_its_phase_run_again_in_a_preview_too(orchestration: Book, run: DeploymentRun) -> None:
    """A preview asks a provider nothing else of what is new."""
    run.pass_checkpoint("FRA", Phase.DEPLOYMENT, orchestration.owner)
    Light().check({"a": 1}, {"a": 2})
    assert not run.has_changed(Phase.CONFIGURATION), "what is there already is diffed"
    assert Light().check({}, {"a": 2}).inputs == {"a": 2}
    assert run.has_changed(Phase.CONFIGURATION)
    assert state(orchestration) is None, "nothing is written"


PROGRAM = """
import json, sys
from dive_infra.dynamic.base import Provider
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase

class Light(Provider):
    def create_resource(self, inputs):
        return "light", {}

Provider.run.deployment.pass_checkpoint("FRA", Phase.SEEDING, DatabaseAccess(**json.loads(sys.stdin.readline())))
for _ in sys.stdin:
    try:
        Light().create({})
        print("made", flush=True)
    except Exception as error:
        print(error, flush=True)
"""


@pytest.fixture
def deployer(orchestration: Book) -> Iterator["subprocess.Popen[str]"]:
    """A process that deploys France, and changes something for every line it is given."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        say(process, json.dumps(asdict(orchestration.owner)))
        yield process
        process.kill()


def say(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def change(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    say(process, "go")
    return process.stdout.readline()


def disconnect(book: Book) -> None:
    """As the server does with a client that is stopped, or when it stops itself."""
    book.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dive %'")


@pytest.mark.parametrize("ended", [False, True], ids=["who still deploys", "who has ended"])
def test_a_process_that_was_stopped_changes_nothing_after_another_took_over(
    orchestration: Book, deployer: "subprocess.Popen[str]", ended: bool
) -> None:
    assert change(deployer) == "made\n"
    deployer.send_signal(signal.SIGSTOP)
    disconnect(orchestration)
    with Store(orchestration.owner, Run("other", "somebody@else", "else", 7)) as other:
        other.hold("FRA", Phase.SEEDING)
        if ended:
            other.release("FRA")
        deployer.send_signal(signal.SIGCONT)
        told = {change(deployer) for _ in range(3)}
    assert len(told) == 1, "and not at a second attempt either"
    wanted = "was overtaken by somebody@else (pid 7 on else)" if ended else "is being deployed by somebody@else (pid 7"
    assert wanted in told.pop()


def test_a_process_whose_database_was_restarted_goes_on(orchestration: Book, deployer: "subprocess.Popen[str]") -> None:
    assert change(deployer) == "made\n"
    disconnect(orchestration)
    assert change(deployer) == "made\n"
    with Store(orchestration.owner) as store:
        holder = store.holder("FRA")
    assert holder
    assert holder.live
    assert holder.pid == deployer.pid
