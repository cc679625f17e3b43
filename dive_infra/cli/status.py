"""`./dive status`: how far each country's deployment is, whether its services are well, and what fixes each problem."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.state_export import Export
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit, worst
from dive_infra.cli.output import show, stdout
from dive_infra.cli.progress import fail
from dive_infra.cli.stacks import codes
from dive_infra.cli.status_table import short_table, table
from dive_infra.diagnosis.snapshot import DEADLINE, observe
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import CountryStatus, StatusReport
from dive_infra.results.remedy import Remedy

Drawing = Callable[[StatusReport, Console], RenderableType]

_LONG = 5  # countries that fit a screen with all details
_OUTCOMES = {"RUNNING": Exit.LOCKED, "PARTIAL": Exit.PARTIAL}


def status(
    countries: Annotated[
        list[str] | None,
        typer.Argument(help="Codes such as FRA; by default all countries.", autocompletion=all_codes),
    ] = None,
    short: Annotated[bool | None, typer.Option("--short/--long", help="One line per country, or all details.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All countries with a stack file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (schemas/status.json).")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl+C.")] = False,
    every_seconds: Annotated[float, typer.Option("--interval", min=0.5, help="Seconds between two refreshes.")] = 2.0,
    patience: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds for the checks of a country.")
    ] = DEADLINE,
) -> None:
    """Show each country's deployment and health.

    Shows how far the deployment is, and whether the services are well now. Reads the state, the engine, the
    record and the services; changes nothing. Logins are not repeated: `./dive doctor` tries them, and their age
    is shown here. More than five countries are shown in one line each.
    """
    if everyone and countries:
        fail("country codes and --all exclude each other", Exit.UNKNOWN, Remedy.run("./dive status --all"))
    if watch and as_json:
        fail("--watch and --json exclude each other", Exit.UNKNOWN, Remedy.decide("leave one out"))
    wanted = codes(countries or all_codes())
    prepare_to_read()
    console = stdout()
    drawn = short_table if (len(wanted) > _LONG if short is None else short) else table
    if watch:
        _watch(wanted, console, drawn, every_seconds, patience)
    report = collect(wanted, patience)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        show(drawn(report, console), console)
    raise typer.Exit(report.exit_code)


def _watch(wanted: list[str], console: Console, drawn: Drawing, every_seconds: float, patience: float) -> None:
    """Refresh in place on a terminal, else print one table after the other; Ctrl+C ends the command."""
    try:
        if not console.is_terminal:
            while True:
                show(drawn(collect(wanted, patience), console), console)
                time.sleep(every_seconds)
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(drawn(collect(wanted, patience), console), refresh=True)
                time.sleep(every_seconds)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def collect(wanted: list[str], patience: float = DEADLINE) -> StatusReport:
    """Inspect all countries side by side; a check without an answer after `patience` seconds is unknown."""
    started = time.monotonic()
    exports = [Export(code.lower()) for code in wanted]
    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        found = list(side_by_side.map(lambda export: judge(observe(export, deadline=patience)), exports))
    return StatusReport(
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 3),
        exit_code=worst(map(outcome, found)),
        countries=found,
    )


def outcome(country: CountryStatus) -> Exit:
    """Return the exit code of one country; while it is being deployed, no problem counts as a finding."""
    if country.deployment.state in _OUTCOMES:
        return _OUTCOMES[country.deployment.state]
    if any(p.severity != "unknown" for p in country.problems):
        return Exit.FINDINGS
    return Exit.UNKNOWN if country.problems or country.collecting else Exit.OK
