"""Looks that several resources of one run need: taken once, as long as the run changes nothing.

Off in every process that does not ask for it. The first change ends it, so that what is proven is looked at anew.
"""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

Found = TypeVar("Found")

_guard = Lock()
_found: dict[Hashable, tuple[float, Any]] = {}
_seconds = 0.0  # how long a look holds


def enable(seconds: float) -> None:
    """From now on a look holds for so long."""
    global _seconds
    with _guard:
        _seconds = seconds


def disable() -> None:
    """From now on everything is looked at each time."""
    global _seconds
    with _guard:
        _seconds = 0.0
        _found.clear()


def cached(key: Hashable, look: Callable[[], Found]) -> Found:
    """What `look` finds, or has found for this key just now. An error is not kept."""
    now = time.monotonic()
    with _guard:
        at, value = _found.get(key, (-_seconds, None))
        if now - at < _seconds:
            found: Found = value
            return found
    value = look()
    with _guard:
        if _seconds:
            _found[key] = (time.monotonic(), value)
    return value
