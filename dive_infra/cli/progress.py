"""How a verb shows what it does: one line for each step with its time; and how a failure ends it.

A `DiveError` is a failure that an operator can fix. Any other exception is a defect of ours: it shows its traceback.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from dive_infra.automation.country_lock import CountryLock
from dive_infra.automation.failures import CountryLocked, PartlyDeployed, UpdateInterrupted
from dive_infra.automation.reporter import Reporter
from dive_infra.cli.exits import Exit
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import NO_REMEDY, Remedy
from dive_infra.toolchain.debian import Progress

console = Console(stderr=True, highlight=False)

FAILURE = "dive: "  # starts the message of a failure
_NOTICEABLE = 1.0  # seconds
_EXITS: dict[type[DiveError], Exit] = {
    CountryLocked: Exit.LOCKED,
    PartlyDeployed: Exit.PARTIAL,
    UpdateInterrupted: Exit.INTERRUPTED,
}


class ConsoleReporter:
    """Shows the progress of code below the verbs on standard error."""

    def line(self, text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        console.rule(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        """Show each progress line with the seconds since the step started, and how the step ended.

        A step that is over at once and has nothing to report is not shown.
        """
        started, reported = time.monotonic(), False

        def elapsed() -> str:
            return f"{time.monotonic() - started:.1f} s"

        def progress(line: str) -> None:
            nonlocal reported
            reported = True
            console.print(f"  [dim]{elapsed():>8}[/]  {escape(line)}", soft_wrap=True)

        try:
            yield progress
        except DiveError:
            console.print(f"[red]✗[/] {title} ({elapsed()})")
            raise
        if reported or time.monotonic() - started >= _NOTICEABLE:
            console.print(f"[green]✓[/] {title} [dim]({elapsed()})[/]")


REPORTER: Reporter = ConsoleReporter()


@contextmanager
def step(title: str) -> Iterator[Progress]:
    """Run one step of a verb; a `DiveError` ends the command."""
    with ends_on_failure(), REPORTER.step(title) as progress:
        yield progress


@contextmanager
def ends_on_failure() -> Iterator[None]:
    """End the command with the message and the exit code of a `DiveError`."""
    try:
        yield
    except DiveError as error:
        fail(str(error), exit_of(error))


def exit_of(error: DiveError) -> Exit:
    """Return the exit code for this failure."""
    return next((code for kind, code in _EXITS.items() if isinstance(error, kind)), Exit.FINDINGS)


def fail(cause: str, code: Exit = Exit.FINDINGS, remedy: Remedy = NO_REMEDY) -> NoReturn:
    """End the command: `cause` says what was found and what was expected, `remedy` what to do next."""
    show_failure(str(DiveError(cause, remedy)))
    raise typer.Exit(code)


def fail_with(error: DiveError, note: str, code: Exit) -> NoReturn:
    """End the command because of `error`; `note` says what the command did, before the next step."""
    fail(str(DiveError(f"{error.cause}; {note}", error.remedy, error.code, error.expected)), code)


def refuse(locked: CountryLocked, note: str, command: str) -> NoReturn:
    """End the command because another run deploys the country; `command` is to be run again once that has ended."""
    fail(f"{locked.cause}; {note}", Exit.LOCKED, Remedy.wait(f"wait for it to end, then: {command}"))


def warn_without_lock(lock: CountryLock) -> None:
    """Print why a command continues without the country lock."""
    console.print(f"[yellow]‼[/] without the lock of {lock.code}: {escape(lock.unavailable)}", soft_wrap=True)


def show_failure(message: str) -> None:
    """Print an error without ending the command."""
    sys.stderr.write(f"{FAILURE}{message}\n")
