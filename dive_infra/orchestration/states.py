"""The phases of a deployment and the states of a country: one table each.

The table of states is that of DIVE V3 without its defects: PARTIAL and SEEDING are ordinary values, a transition to the
same state is not one, and a refused transition is an error.
"""

from collections import deque
from enum import StrEnum

from dive_infra.orchestration.access import TransitionRefused


class State(StrEnum):
    UNKNOWN = "UNKNOWN"
    INITIALIZING = "INITIALIZING"
    DEPLOYING = "DEPLOYING"
    CONFIGURING = "CONFIGURING"
    VERIFYING = "VERIFYING"
    PARTIAL = "PARTIAL"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    ROLLING_BACK = "ROLLING_BACK"
    CLEANUP = "CLEANUP"


class Phase(StrEnum):
    PREFLIGHT = "PREFLIGHT"
    INITIALIZATION = "INITIALIZATION"
    DEPLOYMENT = "DEPLOYMENT"
    CONFIGURATION = "CONFIGURATION"
    SEEDING = "SEEDING"
    VERIFICATION = "VERIFICATION"

    @property
    def next_or_self(self) -> "Phase":
        """Return the phase after this one; the last phase returns itself."""
        phases: list[Phase] = [*Phase]
        return phases[min(phases.index(self) + 1, len(phases) - 1)]


class Status(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


_S = State
TRANSITIONS: dict[State, tuple[State, ...]] = {
    _S.UNKNOWN: (_S.INITIALIZING, _S.FAILED),
    _S.INITIALIZING: (_S.DEPLOYING, _S.FAILED, _S.CLEANUP),
    _S.DEPLOYING: (_S.CONFIGURING, _S.PARTIAL, _S.FAILED, _S.ROLLING_BACK),
    _S.CONFIGURING: (_S.VERIFYING, _S.PARTIAL, _S.FAILED, _S.ROLLING_BACK),
    _S.VERIFYING: (_S.COMPLETE, _S.PARTIAL, _S.FAILED, _S.ROLLING_BACK),
    _S.PARTIAL: (_S.CONFIGURING, _S.FAILED, _S.ROLLING_BACK, _S.CLEANUP),
    _S.COMPLETE: (_S.INITIALIZING, _S.CLEANUP, _S.FAILED),
    _S.FAILED: (_S.INITIALIZING, _S.CLEANUP, _S.ROLLING_BACK),
    _S.ROLLING_BACK: (_S.FAILED, _S.CLEANUP, _S.UNKNOWN),
    _S.CLEANUP: (_S.UNKNOWN, _S.INITIALIZING, _S.FAILED),
}

# A country is in one of these while it is deployed: without a live lock, the deployment was interrupted.
IN_PROGRESS = frozenset({_S.INITIALIZING, _S.DEPLOYING, _S.CONFIGURING, _S.VERIFYING, _S.ROLLING_BACK, _S.CLEANUP})

# The state that a completed phase leads to.
REACHED: dict[Phase, State] = {
    Phase.PREFLIGHT: _S.INITIALIZING,
    Phase.INITIALIZATION: _S.DEPLOYING,
    Phase.DEPLOYMENT: _S.CONFIGURING,
    Phase.CONFIGURATION: _S.CONFIGURING,
    Phase.SEEDING: _S.VERIFYING,
    Phase.VERIFICATION: _S.COMPLETE,
}
_FORWARD = frozenset({_S.INITIALIZING, _S.DEPLOYING, _S.CONFIGURING, _S.VERIFYING, _S.COMPLETE})


def check(current: State, wanted: State) -> None:
    """Raise `TransitionRefused`, naming what is allowed, unless the table leads from `current` to `wanted`."""
    if wanted not in TRANSITIONS[current]:
        allowed = ", ".join(TRANSITIONS[current])
        raise TransitionRefused(f"state {current} does not lead to {wanted}; expected one of {allowed}")


def leads(current: State, wanted: State) -> bool:
    """Whether there is a way through the phases."""
    try:
        walk(current, wanted)
    except TransitionRefused:
        return False
    return True


def walk(current: State, wanted: State) -> list[State]:
    """Return the states to enter, in order, from `current` to `wanted` through the phases; empty if it is reached.

    Phases that were skipped as valid are passed too: a country that only seeds again goes from COMPLETE through
    INITIALIZING, DEPLOYING and CONFIGURING to VERIFYING, as the table requires.
    """
    routes = deque([[current]])
    seen = {current}
    while routes:
        route = routes.popleft()
        if route[-1] == wanted:
            return route[1:]
        if route[-1] == State.COMPLETE and len(route) > 1:
            continue  # an end, never a step on the way: no country is called complete before it is
        for following in TRANSITIONS[route[-1]]:
            if following in _FORWARD and following not in seen:
                seen.add(following)
                routes.append([*route, following])
    raise TransitionRefused(f"no way through the phases leads from state {current} to {wanted}")
