"""How the history of a country looks on a screen: one line for each run, or its phases too."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dive_infra.cli.output import grid, lines, mark, signs
from dive_infra.diagnosis.history import HistoryReport, PhaseRun, RunReport
from dive_infra.results.text import day

_OUTCOMES = {"ran": "green", "skipped": "dim", "failed": "red", "not reached": "dim"}
_RESULTS = {"succeeded": "valid", "failed": "error", "interrupted": "warning", "in progress": "none"}


def table(report: HistoryReport, console: Console, details: bool = False) -> RenderableType:
    """Return the runs, newest first; `details` adds the phases of each."""
    count = f"{len(report.runs)} run{'' if len(report.runs) == 1 else 's'}"
    title = Text(f"{report.code}: {count}, newest first", style="bold")
    if not details:
        return Group(title, Padding(lines((_line(run, console) for run in report.runs), 6, console), (0, 0, 0, 2)))
    return Group(title, *(part for run in report.runs for part in _details(run, console)))


def _line(run: RunReport, console: Console) -> list[Text | str]:
    return [
        Text(str(run.number), justify="right"),
        day(run.started),
        mark(_RESULTS[run.result], console),
        run.kind if run.result == "succeeded" else f"{run.kind} {run.result}",
        Text(_seconds(run.seconds), justify="right"),
        Text(signs(summary(run), console), style="dim"),
    ]


def summary(run: RunReport) -> str:
    """Return what a run did, in a few words: its error, or the phases that ran."""
    if run.error:
        return run.error
    ran = [str(p.phase) for p in run.phases if p.outcome == "ran"]
    if not run.phases:
        return _changes(run)
    if len(ran) == len(run.phases):
        return "ran all phases"
    return f"ran {', '.join(ran)}" if ran else "skipped all phases"


def _details(run: RunReport, console: Console) -> list[RenderableType]:
    parts: list[RenderableType] = [_title(run, console)]
    if run.error and run.error not in {p.why for p in run.phases}:
        parts.append(Padding(Text(signs(run.error, console)), (0, 0, 0, 6)))
    if run.phases:
        rows = [_phase(p, console) for p in run.phases]
        parts.append(Padding(grid(rows, None, None, None, 1), (0, 0, 0, 4)))
    return parts


def _title(run: RunReport, console: Console) -> RenderableType:
    took = f" in {_seconds(run.seconds)}" if run.seconds is not None else ""
    title = Text(f"{day(run.started)} {run.kind} ")
    title.append(run.result, style="green" if run.result == "succeeded" else "red")
    title.append(signs(f"{took} · {_changes(run)}", console))
    title.append(signs(f" · by {run.actor}", console) if run.actor else "")
    if run.saved is not None and run.saved > 0:
        title.append(signs(f" · {run.saved:.0f} s less than the first", console), style="green")
    return Padding(grid([[str(run.number), title]], None, 1), (0, 0, 0, 2))


def _changes(run: RunReport) -> str:
    return ", ".join(f"{n} {what}" for what, n in sorted(run.changes.items())) or "its resources are unknown"


def _phase(phase: PhaseRun, console: Console) -> list[Text | str]:
    style = _OUTCOMES[phase.outcome]
    return [str(phase.phase), Text(phase.outcome, style=style), _seconds(phase.seconds), signs(phase.why, console)]


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"
