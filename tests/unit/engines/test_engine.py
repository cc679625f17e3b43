"""What an engine reports about a container."""

from unittest.mock import Mock

import pytest

from dive_infra.catalog.spec import HealthCheck
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import STACK_LABEL, Names
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import Condition, Engine, EngineObject

FRANCE = Names(COUNTRIES["FRA"])
LABELS = {**FRANCE.labels("kas", "core"), STACK_LABEL: "fra-1"}


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (Condition(True, running=True, health="healthy"), "healthy"),
        (Condition(True, running=True), "healthy"),
        (Condition(True, running=True, health="starting"), "unhealthy"),
        (Condition(True, running=True, paused=True), "stopped"),
        (Condition(True, exit_code=1), "stopped"),
        (Condition(False), "stopped"),
    ],
)
def test_a_container_has_one_state_for_programs(condition: Condition, state: str) -> None:
    assert condition.state == state


def _found(labels: dict[str, str], *existing: EngineObject) -> Condition:
    engine = Mock()
    engine.containers.return_value = existing
    engine.observe.side_effect = lambda name: Condition(any(c.name == name for c in existing), name=name)
    return Engine.find(engine, Declared(FRANCE.container("kas"), "1:1", HealthCheck(("true",)), labels=labels))


def test_a_container_is_found_by_its_name_and_otherwise_by_the_labels_of_its_owner() -> None:
    declared = EngineObject("container", FRANCE.container("kas"), {})
    renamed = EngineObject("container", "kas-old", LABELS)
    assert _found(LABELS, declared, renamed).name == declared.name
    assert _found(LABELS, renamed).name == "kas-old"
    assert not _found({**LABELS, STACK_LABEL: "fra-2"}, renamed).exists, "another stack's"
    assert not _found({STACK_LABEL: "fra-1"}, renamed).exists, "it does not say which service it is"
