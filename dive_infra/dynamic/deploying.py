"""The deployment that this process carries out: its lock is taken before the first change, whatever that is.

Which country it is, and where its record is, is known once its first checkpoint was asked; in an update of a deployed
country that comes before any change. Looking takes nothing, so previews stay without a trace.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from dive_infra.orchestration.access import Access, OlderSchema, Refused, Unreachable
from dive_infra.orchestration.states import Phase
from dive_infra.orchestration.store import Store, session

_known: dict[str, tuple[Access, Phase]] = {}  # country -> its login at the record, the phase it is in
_one_at_a_time = Lock()


def reached(country: str, access: Access, phase: Phase) -> None:
    """The checkpoint of `phase` is asked now; what changes after it is of the next phase."""
    following = [*Phase][[*Phase].index(phase) :][:2][-1]
    with _one_at_a_time:
        _known[country] = access, following


def begin() -> None:
    """Takes the lock and enters INITIALIZING, once; raises `Locked` when somebody else deploys the country.

    A record that is out of reach holds nothing up: what is down may be what is being mended, and no phase completes
    without it.
    """
    _tell(lambda store, country, phase: store.begin(country, phase))


def failed(component: str, message: str) -> None:
    """Records that a change failed, so that nothing is called complete that is not."""
    _tell(lambda store, country, phase: store.broke(country, phase, component, message))


def _tell(write: Callable[[Store, str, Phase], None]) -> None:
    with _one_at_a_time:
        for country, (access, phase) in _known.items():
            with suppress(Unreachable, Refused, OlderSchema):
                write(session(access), country, phase)
