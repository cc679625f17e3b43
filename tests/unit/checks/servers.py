"""An engine whose containers are healthy and ours, except for those that a test says."""

from dive_infra.engines.engine import Condition


class Containers:
    """In the place of the engine; `stopped` and `foreign` hold names of containers."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()
        self.foreign: set[str] = set()

    def observe(self, name: str) -> Condition:
        mark = "" if name in self.foreign else "fra"
        return Condition(True, name=name, running=name not in self.stopped, health="healthy", stack=mark)

    def close(self) -> None:
        """Nothing is open."""
