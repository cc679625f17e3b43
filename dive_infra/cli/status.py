"""`./dive status`: how far each country's deployment is, whether its services are well, and what mends what is not."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.state_export import Export
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit, worst
from dive_infra.cli.output import show, stdout
from dive_infra.cli.progress import fail
from dive_infra.cli.stacks import codes
from dive_infra.cli.status_table import table
from dive_infra.diagnosis.snapshot import GLANCE, look
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import CountryStatus, StatusReport

_OUTCOMES = {"RUNNING": Exit.LOCKED, "PARTIAL": Exit.PARTIAL}


def status(
    countries: Annotated[
        list[str] | None,
        typer.Argument(help="codes such as FRA; by default every country of the coalition", autocompletion=all_codes),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="every country that has a stack file")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON (schemas/status.json)")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="look again and again, until Ctrl+C")] = False,
    every_seconds: Annotated[float, typer.Option("--interval", min=0.5, help="seconds between two looks")] = 2.0,
    patience: Annotated[float, typer.Option("--timeout", min=1, help="seconds for the checks of a country")] = GLANCE,
) -> None:
    """Show how far the deployment of each country is, and whether its services are well now.

    Looks at the state, the engine, the record and the services; changes nothing. Logins are not repeated: their age is
    shown, and `./dive doctor` tries them.
    """
    if everyone and countries:
        fail("give countries, or --all, not both; next: ./dive status --all", Exit.UNKNOWN)
    if watch and as_json:
        fail("--watch is for people and --json for programs; next: leave one out", Exit.UNKNOWN)
    wanted = codes(countries or all_codes())
    prepare_to_read()
    console = stdout()
    if watch:
        _watch(wanted, console, every_seconds, patience)
    report = collect(wanted, patience)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        show(table(report, console), console)
    raise typer.Exit(report.exit_code)


def _watch(wanted: list[str], console: Console, every_seconds: float, patience: float) -> None:
    """In place on a terminal, else one look after the other; Ctrl+C ends it."""
    try:
        if not console.is_terminal:
            while True:
                show(table(collect(wanted, patience), console), console)
                time.sleep(every_seconds)
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(table(collect(wanted, patience), console), refresh=True)
                time.sleep(every_seconds)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def collect(wanted: list[str], patience: float = GLANCE) -> StatusReport:
    """All countries, side by side; what a check has not told after `patience` seconds could not be told."""
    started = time.monotonic()
    exports = [Export(code.lower()) for code in wanted]
    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        found = list(side_by_side.map(lambda export: judge(look(export, deadline=patience)), exports))
    return StatusReport(
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 3),
        exit_code=worst(map(outcome, found)),
        countries=found,
    )


def outcome(country: CountryStatus) -> Exit:
    """What the command ends with for one country: while it is being deployed, nothing found is a finding."""
    if country.deployment.state in _OUTCOMES:
        return _OUTCOMES[country.deployment.state]
    if any(p.severity != "unknown" for p in country.problems):
        return Exit.FINDINGS
    return Exit.UNKNOWN if country.problems or country.collecting else Exit.OK
