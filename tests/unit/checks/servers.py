"""An engine whose containers are healthy, except for those that a test stops."""

from dive_infra.engines.engine import Condition


class Containers:
    """In the place of the engine; `stopped` holds names of containers."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()

    def observe(self, name: str) -> Condition:
        return Condition(True, name=name, running=name not in self.stopped, health="healthy")

    def close(self) -> None:
        """Nothing is open."""
