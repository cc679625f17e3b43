"""The state machine of a deployment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.orchestration.access import TransitionRefused
from dive_infra.orchestration.states import REACHED, TRANSITIONS, Phase, State, check, leads, walk


def test_every_state_is_reachable_and_every_phase_reaches_one() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {s for followers in TRANSITIONS.values() for s in followers} == set(State)
    assert set(REACHED) == set(Phase)


@given(st.sampled_from(list(State)), st.sampled_from(list(State)))
def test_check_refuses_exactly_what_the_table_does_not_hold(current: State, wanted: State) -> None:
    if wanted in TRANSITIONS[current]:
        check(current, wanted)
    else:
        with pytest.raises(TransitionRefused, match=f"{current} does not lead to {wanted}"):
            check(current, wanted)


@given(st.sampled_from(list(State)), st.sampled_from(list(REACHED.values())))
def test_a_walk_takes_allowed_steps_and_calls_nothing_complete_in_passing(current: State, wanted: State) -> None:
    try:
        route = walk(current, wanted)
    except TransitionRefused:
        assert not leads(current, wanted)
        assert current not in (State.UNKNOWN, State.COMPLETE, State.FAILED)
        return
    assert leads(current, wanted)
    for before, after in zip([current, *route], route, strict=False):
        check(before, after)
    assert State.COMPLETE not in route[:-1]
