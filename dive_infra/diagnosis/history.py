"""The runs of a country: which phases each skipped, which it ran and why, and how long it took.

Two sources are laid over each other by time. Pulumi's own history has every update that ended, also one that changed
nothing, which writes nothing to the record; the record has what was proven, and the runs that ended without a word, of
which Pulumi knows nothing. So a plain `pulumi up` counts as much as `./dive up`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.state_export import TIMEOUT
from dive_infra.diagnosis.status_report import Part
from dive_infra.orchestration.events import Event
from dive_infra.orchestration.states import Phase
from dive_infra.results.text import day, first_line

Outcome = Literal["ran", "skipped", "failed", "not reached"]
Result = Literal["succeeded", "failed", "interrupted", "in progress"]

_GRAIN = timedelta(seconds=1)  # Pulumi's times are whole seconds


class PhaseRun(Part):
    """What a run did with a phase; `seconds` since the phase before it was proven, or since the run began."""

    phase: Phase
    outcome: Outcome
    why: str = ""
    seconds: float | None = None


class RunReport(Part):
    """`seconds` is null where the end is not known; `saved` against the first complete run, in seconds.

    `changes` counts resources by what was done with them.
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


class HistoryReport(Part):
    version: Literal[1] = 1
    code: str = Field(pattern="^[A-Z]{3}$")
    runs: list[RunReport]
    recorded: bool  # whether the record could be asked; without it nothing is known of single phases


@dataclass(frozen=True)
class RunHistory:
    """An update that Pulumi knows of; `ended` is None while it runs."""

    kind: str
    result: Result
    started: datetime
    ended: datetime | None
    changes: Mapping[str, int] = field(default_factory=dict[str, int])

    def covers(self, at: datetime) -> bool:
        return self.started - _GRAIN <= at and (self.ended is None or at <= self.ended + _GRAIN)


def updates(stack: str) -> list[RunHistory]:
    """Pulumi's own history of a stack, the oldest first; raises `PulumiFailed`."""
    told = Runner.of(stack).ask("stack", "history", "--json", timeout=TIMEOUT)
    return sorted(map(_update, json.loads(told or "[]")), key=lambda update: update.started)


def _update(row: Mapping[str, Any]) -> RunHistory:
    result: Result = row["result"] if row["result"] in ("succeeded", "failed") else "in progress"
    ended = datetime.fromisoformat(row["endTime"]) if row.get("endTime") else None
    started = datetime.fromisoformat(row["startTime"])
    return RunHistory(row["kind"], result, started, ended, row.get("resourceChanges") or {})


def runs(code: str, known: Sequence[RunHistory], events: Sequence[Event] | None) -> HistoryReport:
    """The runs, the newest first; `events` is None where the record could not be asked."""
    told = events or ()
    merged = [*known, *_silent(known, told)]
    found: list[RunReport] = []
    first: float | None = None
    for number, update in enumerate(sorted(merged, key=lambda u: u.started), 1):
        run = _run(number, update, [e for e in told if update.covers(e.at)], events is not None)
        whole = len(run.phases) == len(Phase) and all(p.outcome == "ran" for p in run.phases)
        if first is not None and run.seconds is not None and run.result == "succeeded" and run.kind == "update":
            run = run.model_copy(update={"saved": round(first - run.seconds, 1)})
        elif first is None and whole and run.result == "succeeded":
            first = run.seconds
        found.append(run)
    return HistoryReport(code=code, runs=found[::-1], recorded=events is not None)


def _silent(known: Sequence[RunHistory], events: Iterable[Event]) -> list[RunHistory]:
    """Runs of the record that no update covers: Pulumi was killed, and wrote nothing of them."""
    left: dict[str, list[datetime]] = {}
    for event in events:
        if not any(update.covers(event.at) for update in known):
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
    """A phase without a checkpoint was skipped as valid, unless the run did not get there."""
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
    """The runs as a page: a table of all, and the phases of each that did something."""
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
    """One run, phase by phase."""
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
