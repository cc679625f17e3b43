"""The runs of a country: which phases each run skipped, which it ran and why, and how long it took.

Two sources are merged by time. Pulumi's history has every update that ended, even one that changed nothing and left no
trace in the record. The record has what was proven, and the killed runs that Pulumi does not know. A plain `pulumi up`
therefore counts as much as `./dive up`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.state_export import TIMEOUT
from dive_infra.orchestration.events import Event
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.report_part import ReportPart
from dive_infra.results.text import day, first_line

Outcome = Literal["ran", "skipped", "failed", "not reached"]
Result = Literal["succeeded", "failed", "interrupted", "in progress"]

_GRAIN = timedelta(seconds=1)  # Pulumi's times are whole seconds
_RECORDED_LATE = timedelta(seconds=30)  # `./dive up` records a failure after the update ended


class PhaseRun(ReportPart):
    """What a run did with a phase; `seconds` since the previous phase was proven, or since the run started."""

    phase: Phase
    outcome: Outcome
    why: str = ""
    seconds: float | None = None


class RunReport(ReportPart):
    """`seconds` is null if the end is not known; `saved` compares with the first complete run, in seconds.

    `changes` counts resources by operation.
    """

    number: int
    kind: str
    result: Result
    started: datetime
    seconds: float | None
    saved: float | None = None
    actor: str = ""
    runs: list[str] = Field(default_factory=list[str])
    changes: dict[str, int] = Field(default_factory=dict[str, int])
    phases: list[PhaseRun] = Field(default_factory=list[PhaseRun])
    error: str = ""


class HistoryReport(ReportPart):
    version: Literal[1] = 1
    code: str = Field(pattern="^[A-Z]{3}$")
    runs: list[RunReport]
    recorded: bool  # whether the record answered; without it the phases are not known


@dataclass(frozen=True)
class RunHistory:
    """An update in Pulumi's history; `ended` is None while it runs."""

    kind: str
    result: Result
    started: datetime
    ended: datetime | None
    changes: Mapping[str, int] = field(default_factory=dict[str, int])

    def covers(self, event: Event) -> bool:
        """Return whether the event is of this update, or of a later one that started before it was over."""
        fails = event.kind == "error" or (event.kind == "transition" and event.subject == State.FAILED)
        late = _RECORDED_LATE if self.result == "failed" and fails else _GRAIN
        return self.started - _GRAIN <= event.at and (self.ended is None or event.at <= self.ended + late)


def updates(stack: str) -> list[RunHistory]:
    """Return Pulumi's own history of a stack, oldest first; raise `PulumiFailed`."""
    rows = Runner.of(stack).ask("stack", "history", "--json", timeout=TIMEOUT)
    return sorted(map(_update, json.loads(rows or "[]")), key=lambda update: update.started)


def _update(row: Mapping[str, Any]) -> RunHistory:
    result: Result = row["result"] if row["result"] in ("succeeded", "failed") else "in progress"
    ended = datetime.fromisoformat(row["endTime"]) if row.get("endTime") else None
    started = datetime.fromisoformat(row["startTime"])
    return RunHistory(row["kind"], result, started, ended, row.get("resourceChanges") or {})


def runs(code: str, known: Sequence[RunHistory], events: Sequence[Event] | None) -> HistoryReport:
    """Return the runs, newest first; `events` is None if the record did not answer."""
    recorded = events or ()
    merged = [*known, *_silent(known, recorded)]
    found: list[RunReport] = []
    first: float | None = None
    for number, update in enumerate(sorted(merged, key=lambda u: u.started), 1):
        run = _run(number, update, [e for e in recorded if _latest(merged, e) is update], events is not None)
        whole = len(run.phases) == len(Phase) and all(p.outcome == "ran" for p in run.phases)
        if first is not None and run.seconds is not None and run.result == "succeeded" and run.kind == "update":
            run = run.model_copy(update={"saved": round(first - run.seconds, 1)})
        elif first is None and whole and run.result == "succeeded":
            first = run.seconds
        found.append(run)
    return HistoryReport(code=code, runs=found[::-1], recorded=events is not None)


def _latest(updates: Sequence[RunHistory], event: Event) -> RunHistory | None:
    """Return the update that the event is of: the latest of those that cover it."""
    return max((u for u in updates if u.covers(event)), key=lambda update: update.started, default=None)


def _silent(known: Sequence[RunHistory], events: Iterable[Event]) -> list[RunHistory]:
    """Return the runs of the record that no update covers: Pulumi was killed and recorded nothing."""
    left: dict[str, list[datetime]] = {}
    for event in events:
        if _latest(known, event) is None:
            left.setdefault(event.run_id, []).append(event.at)
    return [RunHistory("update", "interrupted", min(times), max(times)) for times in left.values()]


def _run(number: int, update: RunHistory, events: Sequence[Event], recorded: bool) -> RunReport:
    failures = [e for e in events if e.kind == "error"]
    interrupted = any(e.kind == "transition" and e.why.startswith("interrupted") for e in events)
    seconds = (update.ended - update.started).total_seconds() if update.ended else None
    return RunReport(
        number=number,
        kind=update.kind,
        result=update.result,
        started=update.started,
        seconds=seconds,
        actor=next((e.actor for e in events if e.actor), ""),
        runs=list(dict.fromkeys(e.run_id for e in events)),
        changes=dict(update.changes),
        phases=_phases(update, events) if recorded and update.kind == "update" else [],
        error=first_line(failures[-1].why) if failures else "took over from an interrupted run" if interrupted else "",
    )


def _phases(update: RunHistory, events: Sequence[Event]) -> list[PhaseRun]:
    """Return what the update did with each phase; one without a checkpoint was skipped as valid or not reached."""
    proven = {Phase(e.subject): e for e in events if e.kind == "checkpoint"}
    failed = {e.subject: e for e in events if e.kind == "error"}
    ended = update.result == "succeeded"
    reached = max((place for place, phase in enumerate(Phase) if phase in proven or phase in failed), default=-1)
    found: list[PhaseRun] = []
    before = update.started
    for place, phase in enumerate(Phase):
        if phase in proven:
            event = proven[phase]
            found.append(PhaseRun(phase=phase, outcome="ran", why=event.why, seconds=_between(before, event.at)))
            before = event.at
        elif phase in failed:
            found.append(PhaseRun(phase=phase, outcome="failed", why=first_line(failed[phase].why)))
        elif ended or place < reached:
            found.append(PhaseRun(phase=phase, outcome="skipped", why="valid"))
        else:
            found.append(PhaseRun(phase=phase, outcome="not reached"))
    return found


def _between(before: datetime, after: datetime) -> float:
    return round(max((after - before).total_seconds(), 0.0), 1)


def markdown(report: HistoryReport) -> str:
    """Return the runs as a Markdown page: a table of all, and the phases of each."""
    lines = [
        f"# Runs of {report.code}",
        "",
        "| run | started | what | result | seconds | saved | ran | skipped |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in report.runs:
        ran = ", ".join(p.phase for p in run.phases if p.outcome == "ran") or "–"
        skipped = sum(p.outcome == "skipped" for p in run.phases)
        cells = (
            run.number,
            day(run.started),
            run.kind,
            run.result,
            "" if run.seconds is None else f"{run.seconds:.0f}",
            "" if run.saved is None else f"{run.saved:.0f}",
            ran,
            f"{skipped} of {len(run.phases)}" if run.phases else "–",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    for run in report.runs:
        lines += ["", *details(run)]
    return "\n".join(lines) + "\n"


def details(run: RunReport) -> list[str]:
    """Return one run as Markdown lines, phase by phase."""
    took = "" if run.seconds is None else f", {run.seconds:.0f} s"
    lines = [f"## Run {run.number}: {run.kind}, {run.result}{took}", ""]
    changes = ", ".join(f"{n} {what}" for what, n in sorted(run.changes.items()))
    lines += [f"By {run.actor or 'an unknown person (it changed nothing)'}; resources: {changes or 'none'}."]
    if run.error and run.error not in {p.why for p in run.phases}:
        lines += ["", f"Error: {run.error}"]
    if run.phases:
        lines += ["", "| phase | outcome | seconds | why |", "|---|---|---|---|"]
        lines += [
            f"| {p.phase} | {p.outcome} | {'' if p.seconds is None else f'{p.seconds:.0f}'} | {_cell(p.why)} |"
            for p in run.phases
        ]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
