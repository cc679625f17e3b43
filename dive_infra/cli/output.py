"""The standard output of a verb: a table for people, plain where no terminal reads it, or JSON.

Colours and control characters are left out when the output is not a terminal or NO_COLOR is set; the marks are ASCII
where the encoding of the output has no others.
"""

import os
import sys
from collections.abc import Iterable

from rich.console import Console, OverflowMethod, RenderableType
from rich.table import Table
from rich.text import Text

from dive_infra.results.finding import Verdict

_MARKS: dict[str, tuple[str, str, str]] = {
    # kind -> sign, the same in ASCII, colour
    "valid": ("✓", "ok", "green"),
    "warning": ("‼", "!!", "yellow"),
    "error": ("✗", "xx", "red"),
    "unknown": ("?", "??", "magenta"),
    "none": (" ", "  ", ""),
}
_SIGNS = str.maketrans(
    {"✓": "ok", "‼": "!!", "✗": "xx", "·": "-", "→": "->", "…": "...", "—": "-", "–": "-", "≥": ">="}
)


def stdout(width: int | None = None) -> Console:
    """Return a console on standard output; `width` in columns, by default the terminal's, else COLUMNS, else 120."""
    plain = not sys.stdout.isatty()
    console = Console(highlight=False, emoji=False, width=width)
    if plain and width is None and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def show(what: RenderableType, console: Console) -> None:
    """Print it; where no terminal reads it, without the blanks that fill up a line."""
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as captured:
        console.print(what)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)


def ascii_only(console: Console) -> bool:
    try:
        "✓‼✗→·".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def mark(kind: str, console: Console) -> Text:
    """Return the sign of a verdict or severity, coloured where colours are shown."""
    sign, plain, colour = _MARKS[kind]
    return Text(plain if ascii_only(console) else sign, style=colour)


def signs(text: str, console: Console) -> str:
    """Return the text with signs that the console's encoding has."""
    return text.translate(_SIGNS) if ascii_only(console) else text


def kind(verdict: Verdict | None, advisory: bool = False) -> str:
    if verdict is None:
        return "none"
    return ("warning" if advisory else "error") if verdict == Verdict.INVALID else verdict


def grid(rows: Iterable[Iterable[Text | str]], *ratios: int | None) -> Table:
    """Return columns without borders; a column with a ratio shares the remaining width and wraps, the others never."""
    table = Table.grid(padding=(0, 1), expand=any(ratios))
    for ratio in ratios:
        table.add_column(ratio=ratio, no_wrap=ratio is None, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def lines(rows: Iterable[Iterable[Text | str]], columns: int, console: Console) -> Table:
    """Return columns without borders in which each row is one line: the last column is cut where the width ends."""
    table = Table.grid(padding=(0, 1), expand=True)
    for place in range(columns):
        last = place == columns - 1
        cut: OverflowMethod = "crop" if ascii_only(console) else "ellipsis"
        table.add_column(ratio=1 if last else None, no_wrap=True, overflow=cut if last else "fold")
    for row in rows:
        table.add_row(*row)
    return table
