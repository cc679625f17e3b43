"""Cache of read-only probes that several resources of one run share; the run's first change ends it."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

Found = TypeVar("Found")


class ProbeCache:
    """Keeps what a probe found for `ttl` seconds; with a `ttl` of 0 every probe runs each time.

    `changes` is how often a change of the run has cleared it.
    """

    def __init__(self, ttl: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl = ttl
        self._clock = clock
        self._guard = Lock()
        self._found: dict[Hashable, tuple[float, Any]] = {}
        self.changes = 0

    def enable(self, ttl: float) -> None:
        """Keep results for `ttl` seconds from now on."""
        with self._guard:
            self._ttl = ttl

    def disable(self) -> None:
        """Clear the cache and keep nothing from now on, so that a proof sees the system after the change."""
        with self._guard:
            self._ttl = 0.0
            self._found.clear()
            self.changes += 1

    def get(self, key: Hashable, probe: Callable[[], Found]) -> Found:
        """Return what `probe` finds now, or found for `key` within the last `ttl` seconds. Errors are not kept."""
        with self._guard:
            at, value = self._found.get(key, (-self._ttl, None))
            if self._clock() - at < self._ttl:
                found: Found = value
                return found
        value = probe()
        with self._guard:
            if self._ttl:
                self._found[key] = (self._clock(), value)
        return value


# The cache of this process: off, unless `dynamic.runtime.bootstrap` enables it in the process of our providers.
PROBES = ProbeCache()
