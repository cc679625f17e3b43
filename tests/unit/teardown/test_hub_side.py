"""What the hub holds of a spoke."""

import pytest

from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.orchestration.states import Phase
from dive_infra.teardown.hub_side import HubSide, HubUnreadable

FRA = Names(parse("FRA"))


@pytest.mark.parametrize(("configured", "known"), [(False, True), (True, False)])
def test_a_hub_of_another_program_is_not_taken_for_one_that_holds_nothing(configured: bool, known: bool) -> None:
    """Its realm may hold the country's link: that cannot be told, which is not the same as nothing."""
    checkpoint = CheckpointState(Phase.CONFIGURATION, "", "", None, "the specification was written by another version")
    hub = StackState("usa", 180, None, {Phase.CONFIGURATION: checkpoint} if configured else {})
    side = HubSide(hub, FRA)
    if known:
        assert side.observe().empty
        return
    with pytest.raises(HubUnreadable, match="USA was deployed by another version of this program"):
        side.observe()
