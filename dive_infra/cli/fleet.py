"""`./dive up --all`: deploy the hub, then all its spokes in parallel, each by its own `./dive up` with a line here."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from dive_infra.cli import awaited, images, outcomes
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.new import enrol_all
from dive_infra.cli.outcomes import Outcome
from dive_infra.cli.progress import FAILURE, console
from dive_infra.cli.stacks import chosen
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.paths import HOME, ROOT
from dive_infra.orchestration.states import Phase
from dive_infra.plans import provider_messages
from dive_infra.results.errors import DiveError

_POLL = 0.3  # seconds between two reads of a deployment's output
_OUTCOMES = {
    int(Exit.OK): "verified",
    int(Exit.LOCKED): "locked",
    int(Exit.PARTIAL): "in part",
    int(Exit.INTERRUPTED): "interrupted",
}


@dataclass
class CountryRun:
    """One country's deployment; `code` is its exit code, None while it runs. Its output goes to `log`."""

    country: str
    log: Path
    phase: str = "waiting"
    code: int | None = None
    seconds: float = 0.0
    _started: float = field(default=0.0, repr=False)
    _reached: int = field(default=0, repr=False)

    def run(self) -> "CountryRun":
        """Run the deployment until it ends."""
        command = [sys.executable, "-m", "dive_infra.cli", "up", self.country]
        self._started, self.code, self._reached = time.monotonic(), None, 0
        self._enter("starting")
        with self.log.open("w") as log, self.log.open() as printed:
            running = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            while (code := running.poll()) is None:
                self._read(printed)
                time.sleep(_POLL)
            self._read(printed)
        self.seconds = time.monotonic() - self._started
        self.code = code if code >= 0 else Exit.FINDINGS  # ended by a signal
        self._enter(self.outcome)
        return self

    @property
    def outcome(self) -> str:
        """Return how it ended, or the current phase."""
        return self.phase if self.code is None else _OUTCOMES.get(self.code, "failed")

    @property
    def cause(self) -> str:
        """Return the last error message, in one line."""
        errors = [line for line in self.log.read_text().splitlines() if line.startswith((FAILURE, "error: "))]
        return errors[-1].removeprefix(FAILURE) if errors else ""

    def line(self) -> tuple[str, str, str]:
        """Return the row of the table: country, outcome, seconds."""
        elapsed = time.monotonic() - self._started if self._started else 0.0
        mark = "…" if self.code is None else outcomes.mark(self.code)
        return f"{mark} {self.country}", self.outcome, f"{self.seconds or elapsed:.0f} s"

    def _read(self, printed: TextIO) -> None:
        phases = [*Phase]
        for ended in provider_messages.ended_phases(printed.read()):
            # Forward only: Pulumi repeats all messages at its end.
            self._reached = max(self._reached, phases.index(ended.next_or_self))
            self._enter(phases[self._reached])

    def _enter(self, phase: str) -> None:
        if phase != self.phase:
            self.phase = phase
            if not console.is_terminal:
                console.print("  ".join(self.line()))


def up(parallel: int) -> None:
    """Deploy every country of the coalition, at most `parallel` spokes at a time; ends the command."""
    [hub] = chosen([HUB_CODE])
    countries = chosen([HUB_CODE, *hub.spokes])
    prepare()
    images.ensure(countries)
    enrol_all(countries)
    logs = HOME / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    fleet = [CountryRun(s.country, logs / f"up-{s.country.lower()}.log") for s in countries]
    with _shown(fleet):
        interrupted = _run(fleet[0], fleet[1:], parallel)
    for one in fleet:
        if one.code and (cause := one.cause):
            console.print(f"[red]✗[/] {one.country}: {escape(cause)}", soft_wrap=True)
        if one.code:
            console.print(f"  full output: {one.log}", soft_wrap=True)
    outcomes.show([_outcome(one, interrupted) for one in fleet])
    done = [one for one in fleet if one.code == Exit.OK]
    console.print(f"{len(done)} of {len(fleet)} countries deployed and verified")
    raise typer.Exit(Exit.INTERRUPTED if interrupted else ended(fleet))


def _outcome(one: CountryRun, interrupted: bool) -> Outcome:
    """Return how a country's deployment ended; one that waited until the end was not started."""
    if one.code is None:
        return (
            outcomes.not_started(one.country, "interrupted before") if interrupted else outcomes.needs_hub(one.country)
        )
    return Outcome(one.country, one.code, one.outcome, "" if one.code == Exit.OK else f"./dive up {one.country}")


def ended(fleet: Sequence[CountryRun]) -> int:
    """Return the exit code of the hub if it failed, else 4 if a spoke did."""
    hub = fleet[0]
    if hub.code != Exit.OK:
        return hub.code or Exit.FINDINGS
    return Exit.OK if all(one.code == Exit.OK for one in fleet) else Exit.PARTIAL


def _run(hub: CountryRun, spokes: Sequence[CountryRun], parallel: int) -> bool:
    """Return True if interrupted: running deployments are waited for, and no further one is started.

    Without the hub, those spokes are deployed that do not need it.
    """
    with ThreadPoolExecutor(max_workers=parallel) as side_by_side:
        try:
            deployed = side_by_side.submit(hub.run).result().code == Exit.OK
            if hub.code == Exit.INTERRUPTED:
                return True
            able = [spoke for spoke in spokes if deployed or outcomes.stands_alone(spoke.country)]
            for end in [side_by_side.submit(spoke.run) for spoke in able]:
                end.result()
            # The others have declared their sides of the pending links since.
            late = [hub] if deployed and _has_pending_links(hub) else []
            late += [spoke for spoke in able if spoke.code == Exit.PARTIAL]
            for end in [side_by_side.submit(one.run) for one in late]:
                end.result()
        except KeyboardInterrupt:
            side_by_side.shutdown(wait=True, cancel_futures=True)
            return True
    return any(one.code == Exit.INTERRUPTED for one in (hub, *spokes))


def _has_pending_links(hub: CountryRun) -> bool:
    """Return True also if that is unknown: the hub's next run reports why."""
    try:
        return bool(awaited.links_of(hub.country))
    except DiveError:
        return True


@contextmanager
def _shown(fleet: Sequence[CountryRun]) -> Iterator[None]:
    """Show one line for each country on a terminal, updated in place."""
    if not console.is_terminal:
        yield
        return
    done = Event()
    with Live(_table(fleet), console=console, refresh_per_second=4) as live:

        def refresh() -> None:
            while not done.wait(_POLL):
                live.update(_table(fleet))

        refresher = Thread(target=refresh, daemon=True)
        refresher.start()
        try:
            yield
        finally:
            done.set()
            refresher.join()
            live.update(_table(fleet))


def _table(fleet: Sequence[CountryRun]) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in fleet:
        table.add_row(*one.line())
    return table
