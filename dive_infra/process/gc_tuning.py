"""Rare collection of garbage, for processes that live for seconds: loading makes objects, and next to no garbage.

Looking for it takes a sixth of the loading, and at the end of the process, where the interpreter looks several times
over all that there is, half a second.
"""

import atexit
import gc

_OBJECTS = 50_000  # made and not freed, until the next look; Python's own 700 is for processes that stay


def tune() -> None:
    """From now on this process looks for garbage seldom, and never at its end. What a long run makes is still found."""
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
