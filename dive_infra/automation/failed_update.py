"""The end of a failed update in the record: FAILED, with the phase and the first error.

Our own providers record the failures of their resources. Other providers and Pulumi do not know the record: after them
a country would look as if its run had been killed.
"""

from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.records import Current, Run
from dive_infra.orchestration.states import IN_PROGRESS, Phase, Status
from dive_infra.orchestration.store import Store
from dive_infra.plans.events import UpdateError

_UNKNOWN = "Pulumi ended with an error that names no cause"


def record(access: DatabaseAccess, run: Run, country: str, error: UpdateError | None) -> Current | None:
    """Record that `run` failed; return the state before. An update that failed before its first phase leaves no trace.

    Raises `RecordError`: `Locked` if another run deploys the country.
    """
    with Store(access, run) as store:
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
