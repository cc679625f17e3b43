"""What was measured, and how it is told: as a table, as JSON, and as the table in the documentation."""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.table import Table


@dataclass
class Figure:
    """`wall` and `cpu`: seconds of each round, the latter of all that Pulumi started; `note`: what bounds it."""

    title: str
    note: str = ""
    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    @contextmanager
    def round(self) -> Iterator[None]:
        """Measures what is run inside."""
        before, started = _cpu(), time.monotonic()
        yield
        self.wall.append(time.monotonic() - started)
        self.cpu.append(_cpu() - before)

    def time(self, work: Callable[[], object]) -> None:
        with self.round():
            work()

    def add(self, seconds: float) -> None:
        """A round that was measured elsewhere."""
        self.wall.append(seconds)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


HEAD = ("what", "min", "median", "max", "CPU", "× floor", "note")


def cells(figure: Figure, floor: Figure) -> tuple[str, ...]:
    """Seconds; the ratio is that of the medians."""
    three = [f"{statistic(figure.wall):.2f}" for statistic in (min, median, max)]
    cpu = f"{median(figure.cpu):.1f}" if figure.cpu else "–"
    return (figure.title, *three, cpu, f"{median(figure.wall) / median(floor.wall):.2f}", figure.note)


def table(figures: Sequence[Figure], floor: Figure) -> Table:
    shown = Table(*HEAD[:1], title_justify="left")
    for head in HEAD[1:]:
        shown.add_column(head, justify="left" if head == "note" else "right")
    for figure in figures:
        shown.add_row(*cells(figure, floor))
    return shown


def markdown(figures: Sequence[Figure], floor: Figure) -> str:
    lines = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells(f, floor))} |" for f in figures]
    return "\n".join(lines) + "\n"


def plain(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    return [asdict(f) for f in figures]
