"""What this process could not look at: one line for each cause, and one for each phase, however many resources.

With the engine out of reach every look fails for the same reason, forty times in a stack.
"""

from threading import Lock

_guard = Lock()
_causes: set[str] = set()  # told already
_kept: list[str] = []  # resources of the phase that is asked now


def met(cause: str) -> bool:
    """Whether the cause is a new one, which is to be told."""
    with _guard:
        new = cause not in _causes
        _causes.add(cause)
        return new


def keep(name: str) -> None:
    """A resource could not be looked at, and is kept as it was."""
    with _guard:
        _kept.append(name)


def kept() -> int:
    """How many resources were kept since this was asked last."""
    with _guard:
        count = len(_kept)
        _kept.clear()
        return count
