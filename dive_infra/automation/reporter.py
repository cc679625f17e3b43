"""How code below the verbs shows its progress: it calls a reporter, and the verb decides where a line goes."""

from contextlib import AbstractContextManager
from typing import Protocol

from dive_infra.toolchain.debian import Progress


class Reporter(Protocol):
    """Where a run's progress goes; `cli.progress` has the one that writes to the terminal."""

    def line(self, text: str) -> None:
        """Show one line of plain text."""

    def heading(self, text: str) -> None:
        """Announce a command whose own output follows."""

    def step(self, title: str) -> AbstractContextManager[Progress]:
        """Show the start, progress and end of one step; an exception passes through."""
