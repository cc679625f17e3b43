"""The engine of a process, and what to do when it does not answer."""

from collections.abc import Iterator

import pytest

from dive_infra import engines
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.engines import selection
from dive_infra.results.remedy import Remedy


@pytest.fixture(autouse=True)
def nothing_selected() -> Iterator[None]:
    yield
    engines.select(EngineSelection())


def test_the_machines_own_engine_is_started_and_a_named_one_is_not() -> None:
    assert str(engines.unanswered()) == "./dive up (starts the engine, or set DOCKER_HOST)"
    assert engines.unanswered(Remedy.run("copy it")) == engines.unanswered()
    engines.select(EngineSelection("ssh://host"))
    assert selection.selected() == EngineSelection("ssh://host")
    assert str(engines.unanswered()) == (
        "start the engine of dive:engine (ssh://host), or fix the connection to it, then: pulumi up"
    )
    assert engines.unanswered(Remedy.run("copy it")) == Remedy.run("copy it")
