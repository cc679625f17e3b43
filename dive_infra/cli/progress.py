"""How the command tells what it does: one line per step with its time, and errors that end with what to do."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from dive_infra.automation.workspace import StateError
from dive_infra.cli.exits import Exit
from dive_infra.config.settings import SettingsError
from dive_infra.engines.docker.engine import EngineError
from dive_infra.images.resolution import ImageError
from dive_infra.toolchain.debian import PackageError
from dive_infra.toolchain.toolchain import ToolchainError

console = Console(stderr=True, highlight=False)

Progress = Callable[[str], None]

# What an operator can mend; anything else is a defect of ours and shows its traceback.
EXPECTED = (EngineError, ImageError, PackageError, SettingsError, StateError, ToolchainError)


@contextmanager
def step(title: str) -> Iterator[Progress]:
    """Runs one step; the lines given to its progress function show the time since the step began."""
    started = time.monotonic()

    def elapsed() -> str:
        return f"{time.monotonic() - started:.1f} s"

    def progress(line: str) -> None:
        console.print(f"  [dim]{elapsed():>8}[/]  {escape(line)}", soft_wrap=True)

    try:
        yield progress
    except EXPECTED as error:
        console.print(f"[red]✗[/] {title} ({elapsed()})")
        fail(str(error))
    console.print(f"[green]✓[/] {title} [dim]({elapsed()})[/]")


def fail(message: str, code: Exit = Exit.FINDINGS) -> NoReturn:
    """Ends the command: the message says what was found, what was expected and what to do next."""
    sys.stderr.write(f"dive: {message}\n")
    raise typer.Exit(code)
