"""The engine that this process works with: every call of `engines` means this one."""

from dive_infra.config.engine_selection import EngineSelection
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy

_process = [EngineSelection()]


def select(selection: EngineSelection) -> None:
    """Have this process work with another engine: that of `dive:engine`, or, if that is empty, the machine's choice."""
    _process[0] = selection


def selected() -> EngineSelection:
    """Return what was selected last; empty at first."""
    return _process[0]


def unanswered(found: Remedy = NO_REMEDY) -> Remedy:
    """Return the next step for an engine that does not answer; `found` is that of its error.

    An engine that `dive:engine` names is not ours to start, and what is wrong may be on the way to it.
    """
    if selected().address:
        way = f"start the engine of dive:engine ({selected()}), or fix the connection to it, then: {UP}"
        return found or Remedy.decide(way)
    return Remedy.deploy(detail="starts the engine, or set DOCKER_HOST")
