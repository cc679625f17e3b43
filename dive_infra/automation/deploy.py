"""Run `pulumi up` in the foreground: recover the stack first, retry once, and say how a failed update ended."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.drift import refresh_only_drift
from dive_infra.automation.failures import CountryLocked, PartlyDeployed, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.recovery import Recovered, clear_pending, recover
from dive_infra.automation.reporter import Reporter
from dive_infra.automation.stack_state import read_stack
from dive_infra.config import environment
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import read_overview
from dive_infra.orchestration.states import State
from dive_infra.process import lock_refusal
from dive_infra.results.finding import Verdict, listing
from dive_infra.results.remedy import UP, Remedy


def deploy(runner: Runner, reporter: Reporter, refresh: bool | None = None) -> None:
    """Update the stack after clearing what a killed run left.

    By default, it refreshes if only that shows a change. Raises `PulumiFailed`, `CountryLocked` or
    `UpdateFailed`.
    """
    recovered = recover(runner, reporter)
    code = _up(runner, recovered, refresh, reporter)
    if code and (recovered.open or (refresh is None and _uncovered(runner, recovered))):
        # The run met a create that a server completed late, or drift of a service that was down before.
        recovered = recover(runner, reporter)
        code = _up(runner, recovered, refresh, reporter)
    if code:
        raise _failure(runner)
    if recovered.open:
        clear_pending(runner)


def _uncovered(runner: Runner, before: Recovered) -> bool:
    """Return True if a refresh is needed now and was not before the run."""
    return bool(refresh_only_drift(runner.state())) and not refresh_only_drift(before.state)


def _up(runner: Runner, recovered: Recovered, refresh: bool | None, reporter: Reporter) -> int:
    """Return the exit code of `pulumi up`; raises `UpdateInterrupted` or `CountryLocked`."""
    if refresh is None and (findings := refresh_only_drift(recovered.state)):
        reporter.line(listing(findings, Verdict.INVALID))
        refresh = True
    flags = ["--refresh"] if refresh else []
    reporter.heading(" ".join(["pulumi up -s", runner.name, *flags]))
    with tempfile.TemporaryDirectory(prefix="dive-up-") as folder:
        channel = Path(folder) / "refused"
        command = runner.command("up", "--yes", "--skip-preview", *flags)
        variables = {**runner.environment, environment.REFUSED: str(channel)}
        code, interrupted = run_in_foreground(command, runner.folder, variables)
        refusal = lock_refusal.refusal(channel)
    if interrupted:
        raise UpdateInterrupted(
            f"`pulumi up -s {runner.name}` was interrupted; what is done is kept", Remedy.deploy(runner.country)
        )
    if refusal:
        raise CountryLocked(refusal)
    return code


def _failure(runner: Runner) -> CountryLocked | UpdateFailed:
    """Return the failure of an update: another process deploys now, or the country is deployed in part, or neither."""
    cause = f"`pulumi up -s {runner.name}` failed; its message above names the cause"
    remedy = Remedy.deploy(runner.country, f"fix it, then run {UP}")
    if any(update.live for update in backend_locks(runner.name, runner.environment)):
        return CountryLocked(cause, remedy)
    try:
        access = read_stack(runner.name, runner.state()).store
        record = read_overview(access, runner.name) if access else None
    except (PulumiFailed, RecordError):
        return UpdateFailed(cause, remedy)  # that it failed is all that is known
    partial = record and record.current and record.current.state == State.PARTIAL
    return PartlyDeployed(cause, remedy) if partial else UpdateFailed(cause, remedy)


def run_in_foreground(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, bool]:
    """Return the command's exit code, and whether we were asked to stop it.

    The terminal sends Ctrl+C to Pulumi too, which then finishes the operations under way (a second one stops it at
    once): it must not be killed before. SIGTERM reaches this process alone, and is passed on.
    """
    with subprocess.Popen(command, cwd=folder, env=environment) as running, _pass_on_sigterm(running) as signals:
        while True:
            try:
                return running.wait(), bool(signals)
            except KeyboardInterrupt:
                signals.append(signal.SIGINT)


@contextmanager
def _pass_on_sigterm(running: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """Pass SIGTERM on to the process; yield the signals that asked to stop."""
    signals: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        signals.append(number)
        running.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)


def outputs(stack: str) -> dict[str, Any]:
    """Return the outputs of a stack, secrets masked; raises `PulumiFailed`."""
    found = json.loads(Runner.of(stack).ask("stack", "output", "--json"))
    assert isinstance(found, dict)
    return found
