"""What was measured, and how it is shown: on a terminal, as plain rows, as JSON, and as the table of a page."""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass
class Figure:
    """`wall` and `cpu`: seconds of each round, the latter of all that Pulumi started; `note`: what bounds it."""

    title: str
    note: str = ""
    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    @contextmanager
    def round(self) -> Iterator[None]:
        """Measure the block."""
        before, started = _cpu(), time.monotonic()
        yield
        self.wall.append(time.monotonic() - started)
        self.cpu.append(_cpu() - before)

    def time(self, work: Callable[[], object]) -> None:
        with self.round():
            work()

    def add(self, seconds: float) -> None:
        """Add a round that was measured elsewhere."""
        self.wall.append(seconds)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


NUMBERS = ("min", "median", "max", "CPU", "× floor")
HEAD = ("what", *NUMBERS, "note")


def cells(figure: Figure, floor: Figure) -> tuple[str, ...]:
    """Return a row, in seconds; the ratio is that of the medians."""
    three = [f"{statistic(figure.wall):.2f}" for statistic in (min, median, max)]
    cpu = f"{median(figure.cpu):.1f}" if figure.cpu else "–"
    return (figure.title, *three, cpu, f"{median(figure.wall) / median(floor.wall):.2f}", figure.note)


def show(figures: Sequence[Figure], floor: Figure, console: Console) -> None:
    """Print a table that fits the terminal, or one row for each figure where no terminal reads it."""
    if console.is_terminal:
        console.print(_table(figures, floor))
        return
    for line in rows(figures, floor):
        console.print(line, soft_wrap=True, markup=False)


def _table(figures: Sequence[Figure], floor: Figure) -> Table:
    """Numbers first, so that the words have the rest of the line and wrap there."""
    shown = Table.grid(padding=(0, 1), expand=True)
    for _ in NUMBERS:
        shown.add_column(justify="right", no_wrap=True)
    shown.add_column(ratio=1, overflow="fold")
    shown.add_row(*NUMBERS, HEAD[0], style="bold")
    for figure in figures:
        title, *numbers, note = cells(figure, floor)
        shown.add_row(*numbers, Text.assemble(title, (f"\n  {note}", "dim") if note else ""))
    return shown


def rows(figures: Sequence[Figure], floor: Figure) -> list[str]:
    """Return a heading and one line for each figure, in columns: numbers, what was measured, and the note."""
    lines = [(*NUMBERS, HEAD[0])]
    for figure in figures:
        title, *numbers, note = cells(figure, floor)
        lines.append((*numbers, f"{title} ({note})" if note else title))
    widths = [max(len(line[place]) for line in lines) for place in range(len(NUMBERS))]
    aligned = ([cell.rjust(width) for cell, width in zip(line, widths, strict=False)] for line in lines)
    return [f"{'  '.join(numbers)}  {line[-1]}" for numbers, line in zip(aligned, lines, strict=True)]


def markdown(figures: Sequence[Figure], floor: Figure) -> str:
    lines = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells(f, floor))} |" for f in figures]
    return "\n".join(lines) + "\n"


def plain(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    return [asdict(f) for f in figures]
