"""The deployment that this process carries out: where it is, what it has changed, and its lock.

The lock is taken before the first change, whatever that is. Which country it is, and where its record is, is known once
its first checkpoint was asked, which in an update comes before any change. Looking takes nothing: previews leave no
trace.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from dive_infra.orchestration.access import DatabaseAccess, LoginRefused, OlderSchema, Unreachable
from dive_infra.orchestration.states import Phase
from dive_infra.orchestration.store import Store, session


@dataclass
class _Deployment:
    country: str = ""
    phase: Phase = Phase.PREFLIGHT
    access: DatabaseAccess | None = None  # the hub has none before its database exists
    changed: set[Phase] = field(default_factory=set[Phase])


_why: dict[Phase, str] = {}  # of each phase that runs again in this process

_this = _Deployment()  # one process deploys one country
_one_at_a_time = Lock()


def reached(country: str, phase: Phase, access: DatabaseAccess | None) -> None:
    """The checkpoint of `phase` is asked now; what changes after it is of the next phase."""
    with _one_at_a_time:
        _this.country = country
        _this.phase = [*Phase][[*Phase].index(phase) :][:2][-1]
        _this.access = access or _this.access


def announced() -> None:
    """Something of the phase that is reached will be made in this run."""
    with _one_at_a_time:
        _this.changed.add(_this.phase)


def changed(phase: Phase) -> bool:
    """Whether this run makes or has changed something of the phase: then it is to be proven and recorded anew."""
    return phase in _this.changed


def again(phase: Phase, why: str) -> None:
    """The phase runs again for this reason."""
    _why[phase] = why.strip().splitlines()[0]


def why(phase: Phase) -> str:
    """Why the phase runs; nothing has asked before it was made for the first time."""
    return _why.get(phase, "for the first time")


def begin() -> None:
    """Before each change. Takes the lock and enters INITIALIZING, once; raises `Locked` when somebody else deploys.

    A record that is out of reach holds nothing up: what is down may be what is being mended, and no phase completes
    without it.
    """
    _tell(lambda store: store.begin(_this.country, _this.phase))
    _this.changed.add(_this.phase)


def failed(component: str, message: str) -> None:
    """Records that a change failed, so that nothing is called complete that is not.

    What follows the first line of the message is what a person has to choose between.
    """
    _tell(lambda store: store.broke(_this.country, _this.phase, component, message))


def _tell(write: Callable[[Store], None]) -> None:
    with _one_at_a_time, suppress(Unreachable, LoginRefused, OlderSchema):
        if not _this.access:
            return
        try:
            write(session(_this.access))
        except Unreachable:  # a session that was lost while this process stood still; a new one tells who deploys now
            write(session(_this.access))
