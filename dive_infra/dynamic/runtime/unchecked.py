"""Resources that could not be checked: one line per cause and one count per phase, however many they are.

With the engine out of reach every probe fails for the same reason, forty times in a stack.
"""

from threading import Lock


class Unchecked:
    """Counts the resources kept as they were, and remembers which causes were reported."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._causes: set[str] = set()
        self._kept = 0

    def is_new(self, cause: str) -> bool:
        """Remember `cause`; return whether it has not been reported yet."""
        with self._guard:
            new = cause not in self._causes
            self._causes.add(cause)
            return new

    def keep(self) -> None:
        """Count a resource that is kept as it was."""
        with self._guard:
            self._kept += 1

    def drain(self) -> int:
        """Return how many resources were kept since the last call: those of the phase that ends now."""
        with self._guard:
            kept, self._kept = self._kept, 0
            return kept
