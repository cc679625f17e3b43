"""A reporter that keeps what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager

from dive_infra.toolchain.debian import Progress


class RecordingReporter:
    """Keeps every line, heading and step title, in the order in which they came."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def heading(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        self.lines.append(title)
        yield self.lines.append
