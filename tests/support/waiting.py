"""Waiting for a condition."""

import time
from collections.abc import Callable

_LOOK = 0.1  # seconds between two looks


def wait_for(condition: Callable[[], object], within: float) -> float:
    """Return the seconds until the condition held; fails after `within` seconds. The condition may fail earlier."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, f"did not come about within {within} s"
        time.sleep(_LOOK)
    return time.monotonic() - began
