"""Running Pulumi from the command: in full view to deploy, quietly to ask."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dive_infra.automation.backend_lock import updates
from dive_infra.automation.drift import unseen
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.recovery import Recovered, clear, recover
from dive_infra.automation.stack_state import read
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail
from dive_infra.diagnosis.snapshot import recorded
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.states import State
from dive_infra.process import lock_refusal
from dive_infra.results.finding import listing


def deploy(stack: str) -> None:
    """One `pulumi up`, in full view; ends the command when it fails, with the exit code of how it ended."""
    carry_out(Runner.of(stack))


def carry_out(runner: Runner, refresh: bool | None = None) -> None:
    """As `deploy`: clears what a killed run left. `refresh`: by default where only that sees a change."""
    recovered = recover(runner)
    code = _up(runner, recovered, refresh)
    if code and (recovered.open or (refresh is None and _uncovered(runner, recovered))):
        # It met what a server had not finished then, or what had to be started first could not be asked before.
        recovered = recover(runner)
        code = _up(runner, recovered, refresh)
    if code:
        fail(
            f"`pulumi up -s {runner.name}` failed; its message above names the cause; next: mend it, then "
            f"./dive up {runner.country}",
            _how_it_ended(runner),
        )
    if recovered.open:
        clear(runner)


def _uncovered(runner: Runner, before: Recovered) -> bool:
    """Whether a refresh is needed now, and was not before the run."""
    return bool(unseen(runner.state())) and not unseen(before.state)


def _up(runner: Runner, recovered: Recovered, refresh: bool | None) -> int:
    """`pulumi up` in full view; its exit code. Ends the command when it was interrupted, or refused as locked."""
    if refresh is None and (findings := unseen(recovered.state)):
        console.print(listing(findings, "invalid"), markup=False)
        refresh = True
    flags = ["--refresh"] if refresh else []
    console.rule(" ".join(["pulumi up -s", runner.name, *flags]))
    with tempfile.TemporaryDirectory(prefix="dive-up-") as folder:
        told = Path(folder) / "refused"
        command = runner.command("up", "--yes", "--skip-preview", *flags)
        variables = {**runner.environment, lock_refusal.VARIABLE: str(told)}
        code, interrupted = to_its_end(command, runner.folder, variables)
        refusal = lock_refusal.refusal(told)
    if interrupted:
        fail(
            f"`pulumi up -s {runner.name}` was interrupted; what is done is kept; next: ./dive up {runner.country}",
            Exit.INTERRUPTED,
        )
    if refusal:
        fail(refusal, Exit.LOCKED)
    return code


def _how_it_ended(runner: Runner) -> Exit:
    """Of an update that failed: whether somebody else deploys now, or the country stands deployed in part."""
    if any(update.live for update in updates(runner.name, runner.environment)):
        return Exit.LOCKED
    try:
        access = read(runner.name, runner.state()).store
        record = recorded(access, runner.name) if access else None
    except (PulumiFailed, RecordError):
        return Exit.FINDINGS  # it failed; what else is so cannot be told
    return Exit.PARTIAL if record and record.current and record.current.state == State.PARTIAL else Exit.FINDINGS


def to_its_end(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, bool]:
    """Runs a command in the foreground; its exit code, and whether we were asked to stop it.

    The terminal gives Ctrl+C to Pulumi too, which then finishes what it has begun (at once, at the second one): it must
    not be killed before. SIGTERM comes to us alone, and is passed on.
    """
    with subprocess.Popen(command, cwd=folder, env=environment) as running, _passed_on(running) as asked:
        while True:
            try:
                return running.wait(), bool(asked)
            except KeyboardInterrupt:
                asked.append(signal.SIGINT)


@contextmanager
def _passed_on(running: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """The signals that asked to stop; SIGTERM is passed on to the process."""
    asked: list[int] = []

    def passed(number: int, _frame: object) -> None:
        asked.append(number)
        running.send_signal(number)

    before = signal.signal(signal.SIGTERM, passed)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


def outputs(stack: str) -> dict[str, Any]:
    try:
        found = json.loads(Runner.of(stack).ask("stack", "output", "--json"))
    except PulumiFailed as error:
        fail(str(error))
    assert isinstance(found, dict)
    return found
