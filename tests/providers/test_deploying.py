"""The lock and the state of a run: taken before its first change, whatever that is; looking leaves no trace."""

from dataclasses import replace
from typing import Any

import pytest

from dive_infra.dynamic import deploying
from dive_infra.dynamic.base import Inputs, Outputs, Provider, Refused
from dive_infra.orchestration.records import Run
from dive_infra.orchestration.states import Phase, State
from dive_infra.orchestration.store import Store, session
from tests.support.record import Book


class Light(Provider):
    """Something that a deployment changes; what was done to it is told."""

    done: list[str] = []  # noqa: RUF012 (of the class on purpose: providers have no attributes)

    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        if inputs.get("broken"):
            raise OSError("no bulb")
        self.done.append("made")
        return "light", {}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Light, "done", [])


def state(book: Book) -> Any:
    with Store(book.owner) as store:
        current = store.current("FRA")
    return current and current.state


def test_looking_takes_no_lock_and_writes_nothing(orchestration: Book) -> None:
    deploying.reached("FRA", Phase.PREFLIGHT, orchestration.spoke("FRA"))
    Light().diff("light", {"a": 1}, {"a": 2})
    with Store(orchestration.owner) as store:
        assert store.holder("FRA") is None
        assert store.current("FRA") is None


def test_the_first_change_takes_the_lock_and_enters_initializing(orchestration: Book) -> None:
    deploying.reached("FRA", Phase.INITIALIZATION, orchestration.spoke("FRA"))
    Light().create({})
    assert state(orchestration) == State.INITIALIZING
    with Store(orchestration.owner) as store:
        holder = store.holder("FRA")
    assert holder
    assert holder.live
    assert holder.phase == Phase.DEPLOYMENT, "what changes after a checkpoint is of the next phase"
    session(orchestration.spoke("FRA")).close()


def test_nothing_is_changed_while_somebody_else_deploys_the_country(orchestration: Book) -> None:
    access = orchestration.spoke("FRA")
    with Store(access, Run("other", "somebody@else", "else", 7)) as other:
        other.hold("FRA", Phase.SEEDING)
        deploying.reached("FRA", Phase.PREFLIGHT, access)
        with pytest.raises(Refused, match=r"FRA is being deployed by somebody@else \(pid 7"):
            Light().create({})
    assert Light.done == []


def test_a_failed_change_is_a_failed_deployment_and_the_next_one_goes_on(orchestration: Book) -> None:
    deploying.reached("FRA", Phase.PREFLIGHT, orchestration.spoke("FRA"))
    with pytest.raises(Refused, match="no bulb"):
        Light().create({"broken": True})
    assert state(orchestration) == State.FAILED
    assert orchestration.sql("SELECT component, message FROM orchestration_errors") == [("Light", "no bulb")]
    session(orchestration.spoke("FRA")).close()
    Light().create({})
    assert state(orchestration) == State.INITIALIZING
    session(orchestration.spoke("FRA")).close()


def test_a_record_out_of_reach_does_not_hold_up_what_may_mend_it(orchestration: Book) -> None:
    deploying.reached("FRA", Phase.PREFLIGHT, replace(orchestration.spoke("FRA"), port=9))
    Light().create({})
    assert Light.done == ["made"]


def test_what_is_changed_makes_its_phase_run_again(orchestration: Book) -> None:
    deploying.reached("FRA", Phase.CONFIGURATION, orchestration.spoke("FRA"))
    assert not deploying.changed(Phase.SEEDING)
    Light().create({})
    assert deploying.changed(Phase.SEEDING)
    assert not deploying.changed(Phase.CONFIGURATION)
    session(orchestration.spoke("FRA")).close()
