"""`./dive history FRA`: what each run did with each phase, and the report that every `./dive up` leaves behind."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.stack_state import read_stack
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit
from dive_infra.cli.output import grid, show, signs, stdout
from dive_infra.cli.progress import console as progress
from dive_infra.cli.progress import fail
from dive_infra.cli.stacks import codes
from dive_infra.config.paths import HOME
from dive_infra.diagnosis import history as past
from dive_infra.diagnosis.history import HistoryReport, PhaseRun, RunReport
from dive_infra.orchestration.access import DatabaseAccess, RecordError
from dive_infra.orchestration.events import Event, events
from dive_infra.orchestration.store import Store

_SIGNS = {"ran": "green", "skipped": "dim", "failed": "red", "not reached": "dim"}


def history(
    country: Annotated[str, typer.Argument(help="a code such as FRA", autocompletion=all_codes)],
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="how many runs, from the newest on")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON (schemas/history.json)")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
) -> None:
    """Show the runs of a country: phases skipped, run and why, seconds, and what skipping saved.

    Plain `pulumi up` counts too: Pulumi's own history is laid over the record.
    """
    (code,) = codes([country])
    prepare_to_read()
    try:
        report = collect(code)
    except NotDeployed as error:
        fail(str(error), Exit.FINDINGS)
    except PulumiFailed as error:
        fail(str(error), Exit.UNKNOWN)
    shown = report.model_copy(update={"runs": report.runs[:last]})
    if as_json:
        typer.echo(shown.model_dump_json(indent=2))
    elif as_markdown:
        typer.echo(past.markdown(shown), nl=False)
    else:
        console = stdout()
        show(table(shown, console), console)
    raise typer.Exit(Exit.OK if report.recorded else Exit.UNKNOWN)


def collect(code: str) -> HistoryReport:
    """The runs of a country; raises `NotDeployed` and `PulumiFailed`."""
    access = read_stack(code.lower(), export_state(code.lower())).store
    return past.runs(code, past.updates(code.lower()), _events(access, code) if access else None)


def _events(access: DatabaseAccess, code: str) -> list[Event] | None:
    try:
        with Store(access) as store:
            return store.ask(lambda connection: events(connection, code))
    except RecordError as error:
        progress.print(f"? the record could not be asked: {error}", markup=False)
        return None


def table(report: HistoryReport, console: Console) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{report.code}: {len(report.runs)} runs, the newest first", style="bold")]
    for run in report.runs:
        parts.append(_title(run, console))
        if run.error:
            parts.append(Padding(Text(signs(run.error, console)), (0, 0, 0, 6)))
        rows = [_phase(p, console) for p in run.phases]
        if rows:
            parts.append(Padding(grid(rows, None, None, None, 1), (0, 0, 0, 4)))
    return Group(*parts)


def _title(run: RunReport, console: Console) -> Text:
    took = "" if run.seconds is None else f" in {run.seconds:.0f} s"
    changes = ", ".join(f"{n} {what}" for what, n in sorted(run.changes.items()))
    title = Text(f"  {run.number}  {_local(run.started)}  {run.kind} ")
    title.append(run.result, style="green" if run.result == "succeeded" else "red")
    title.append(signs(f"{took} · {changes or 'nothing known of its resources'}", console))
    title.append(signs(f" · by {run.actor}", console) if run.actor else "")
    if run.saved is not None and run.saved > 0:
        title.append(signs(f" · {run.saved:.0f} s less than the first", console), style="green")
    return title


def _phase(phase: PhaseRun, console: Console) -> list[Text | str]:
    took = "" if phase.seconds is None else f"{phase.seconds:.0f} s"
    style = _SIGNS[phase.outcome]
    return [str(phase.phase), Text(phase.outcome, style=style), took, signs(phase.why, console)]


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def leave_report(code: str) -> None:
    """After a deployment: its last run as JSON and Markdown, in `.dive/`."""
    try:
        report = collect(code)
    except (NotDeployed, PulumiFailed) as error:
        progress.print(f"? no deployment report: {error}", markup=False)
        return
    path = HOME / f"deployment-report-{code.lower()}"
    only = report.model_copy(update={"runs": report.runs[:1]})
    HOME.mkdir(mode=0o700, exist_ok=True)
    path.with_suffix(".json").write_text(only.model_dump_json(indent=2) + "\n")
    path.with_suffix(".md").write_text(past.markdown(only))
    progress.print(f"report: .dive/{path.name}.md (and .json); all runs: ./dive history {code}", markup=False)
