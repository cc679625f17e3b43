"""The end of a failed update in the record: FAILED, with the phase and the first error.

Our own providers record the failures of their resources. Other providers and Pulumi do not know the record: after them
a country would look as if its run had been killed. `./dive` knows the first error and records it; after a plain
`pulumi up`, the process of our providers records the end.
"""

from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.records import Current, Run
from dive_infra.orchestration.states import IN_PROGRESS, Phase, Status
from dive_infra.orchestration.store import Store
from dive_infra.plans.events import UpdateError

_UNKNOWN = "the update ended before this phase was proven; its output names the cause"


def record(access: DatabaseAccess, run: Run, country: str, error: UpdateError | None) -> Current | None:
    """Record that `run` failed; return the state before. An update that failed before its first phase leaves no trace.

    Raises `RecordError`: `Locked` if another run deploys the country.
    """
    with Store(access, run) as store:
        return end(store, country, error)


def end(store: Store, country: str, error: UpdateError | None) -> Current | None:
    """Record that the run of this session failed, as `record` does, and release its lock."""
    before = store.current(country)
    phase = (error and error.phase) or _first_open(store, country, before)
    if phase:
        store.end_failed(country, phase, (error and error.cause) or _UNKNOWN)
    return before


def _first_open(store: Store, country: str, current: Current | None) -> Phase | None:
    """Return the first phase that is not completed, the last one if all are; None unless a run has changed anything."""
    if current is None or current.state not in IN_PROGRESS:
        return None
    steps = ((phase, store.step(country, phase)) for phase in Phase)
    return next((p for p, step in steps if step is None or step.status != Status.COMPLETED), Phase.VERIFICATION)
