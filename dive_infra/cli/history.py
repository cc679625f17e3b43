"""`./dive history`: the runs of each country, and the report that every `./dive up` leaves behind."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.stack_state import StackState, read_stack
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit, worst
from dive_infra.cli.history_table import table
from dive_infra.cli.output import show, stdout
from dive_infra.cli.progress import console as progress
from dive_infra.cli.progress import fail, show_failure
from dive_infra.cli.stacks import codes
from dive_infra.config.paths import HOME
from dive_infra.diagnosis import history as past
from dive_infra.diagnosis.history import HistoryReport
from dive_infra.orchestration.access import DatabaseAccess, RecordError
from dive_infra.orchestration.events import Event, events
from dive_infra.orchestration.store import Store

_AT_ONCE = 8  # countries asked side by side


def history(
    country: Annotated[
        str | None, typer.Argument(help="A code such as FRA; by default all countries.", autocompletion=all_codes)
    ] = None,
    run: Annotated[int | None, typer.Argument(min=1, help="The number of one run, to show its details.")] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="Number of runs, newest first.")] = 10,
    details: Annotated[bool, typer.Option("--details", "-d", help="Show what each run did with each phase.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (schemas/history.json).")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Show the runs of a country, one line each.

    A line has the result, the seconds and the phases that ran. Runs of plain `pulumi up` are included: the
    command joins Pulumi's own history with the record. `--json` prints one report for a country, and a list of
    reports without one.
    """
    wanted = codes([country] if country else all_codes())
    prepare_to_read()
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as side_by_side:
        found = list(side_by_side.map(_collected, wanted))
    reports = [_chosen(report, run, last) for report, _ in found if report]
    if as_json and country:
        typer.echo("".join(report.model_dump_json(indent=2) for report in reports))
    elif as_json:
        typer.echo(json.dumps([report.model_dump(mode="json") for report in reports], indent=2))
    elif as_markdown:
        typer.echo("\n".join(map(past.markdown, reports)), nl=False)
    else:
        console = stdout()
        for report in reports:
            show(table(report, console, details or run is not None), console)
    raise typer.Exit(worst(outcome for _, outcome in found))


def _collected(code: str) -> tuple[HistoryReport | None, Exit]:
    """Return the runs of a country and the exit code; a country that cannot be asked is reported, and others go on."""
    try:
        report = collect(code)
    except (NotDeployed, PulumiFailed) as error:
        show_failure(str(error))
        return None, Exit.FINDINGS if isinstance(error, NotDeployed) else Exit.UNKNOWN
    return report, Exit.OK if report.recorded else Exit.UNKNOWN


def _chosen(report: HistoryReport, run: int | None, last: int) -> HistoryReport:
    if run is None:
        return report.model_copy(update={"runs": report.runs[:last]})
    runs = [r for r in report.runs if r.number == run]
    if not runs:
        fail(f"{report.code} has no run {run}; expected 1 to {len(report.runs)}", Exit.UNKNOWN)
    return report.model_copy(update={"runs": runs})


def collect(code: str) -> HistoryReport:
    """Return the runs of a country; raise `NotDeployed` or `PulumiFailed`."""
    return _runs(code, _stack(code))


def _stack(code: str) -> StackState:
    return read_stack(code.lower(), export_state(code.lower()))


def _runs(code: str, stack: StackState) -> HistoryReport:
    access = stack.store
    return past.runs(code, past.updates(code.lower()), _events(access, code) if access else None)


def _events(access: DatabaseAccess, code: str) -> list[Event] | None:
    try:
        with Store(access) as store:
            return store.query(lambda connection: events(connection, code))
    except RecordError as error:
        progress.print(f"? the record does not answer: {error}", markup=False)
        return None


def leave_report(code: str) -> StackState | None:
    """Write the last run of a deployment as JSON and Markdown into `.dive/`; return the stack that it was read from."""
    try:
        stack = _stack(code)
        report = _runs(code, stack)
    except (NotDeployed, PulumiFailed) as error:
        progress.print(f"? no deployment report: {error}", markup=False)
        return None
    path = HOME / f"deployment-report-{code.lower()}"
    only = report.model_copy(update={"runs": report.runs[:1]})
    HOME.mkdir(mode=0o700, exist_ok=True)
    path.with_suffix(".json").write_text(only.model_dump_json(indent=2) + "\n")
    path.with_suffix(".md").write_text(past.markdown(only))
    progress.print(f"report: .dive/{path.name}.md (and .json); all runs: ./dive history {code}", markup=False)
    return stack
