"""What the hub holds of a spoke."""

from dive_infra.automation.stack_state import StackState
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.teardown.hub_side import HubSide


def test_a_hub_without_a_record_holds_nothing() -> None:
    assert HubSide(StackState("usa", 180, None, {}), Names(parse("FRA"))).observe().empty
