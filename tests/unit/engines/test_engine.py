"""What an engine tells of a container."""

import pytest

from dive_infra.engines.engine import Condition


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
