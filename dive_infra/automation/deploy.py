"""Run `pulumi up` in the foreground: recover the stack first, retry once, and record how a failed update ended."""

import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dive_infra.automation import failed_update
from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.drift import refresh_only_drift
from dive_infra.automation.failures import CountryLocked, PartlyDeployed, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.recovery import Recovered, clear_pending, recover
from dive_infra.automation.reporter import Reporter
from dive_infra.automation.stack_state import read_stack
from dive_infra.config import environment
from dive_infra.orchestration.access import Locked, RecordError
from dive_infra.orchestration.records import Run, this_run
from dive_infra.orchestration.states import State
from dive_infra.plans.events import UpdateError, first_error
from dive_infra.process import lock_refusal
from dive_infra.results.finding import Verdict, listing
from dive_infra.results.remedy import UP, Remedy


@dataclass(frozen=True)
class _Ended:
    """How one `pulumi up` ended: its exit code, the run that it is in the record, and its first error."""

    code: int
    run: Run
    error: UpdateError | None


def deploy(runner: Runner, reporter: Reporter, refresh: bool | None = None) -> None:
    """Update the stack after clearing what a killed run left.

    By default, it refreshes if only that shows a change. Raises `PulumiFailed`, `CountryLocked`, `ForeignProviders`
    or `UpdateFailed`.
    """
    recovered = recover(runner, reporter)
    ended = _up(runner, recovered, refresh, reporter)
    if ended.code and (recovered.open or (refresh is None and _uncovered(runner, recovered))):
        # The run met a create that a server completed late, or drift of a service that was down before.
        recovered = recover(runner, reporter)
        ended = _up(runner, recovered, refresh, reporter)
    if ended.code:
        raise _failure(runner, ended, reporter)
    if recovered.open:
        clear_pending(runner)


def update(runner: Runner, reporter: Reporter) -> None:
    """Update the stack once, without a refresh. Raises `CountryLocked` or `UpdateFailed`.

    The caller has read the state, and refused a foreign one.
    """
    ended = _run(runner, [], reporter)
    if ended.code:
        raise _failure(runner, ended, reporter)


def _uncovered(runner: Runner, before: Recovered) -> bool:
    """Return True if a refresh is needed now and was not before the run."""
    return bool(refresh_only_drift(runner.state())) and not refresh_only_drift(before.state)


def _up(runner: Runner, recovered: Recovered, refresh: bool | None, reporter: Reporter) -> _Ended:
    """Return how `pulumi up` ended, with a refresh if only that shows a change; raises as `_run`."""
    if refresh is None and (findings := refresh_only_drift(recovered.state)):
        reporter.line(listing(findings, Verdict.INVALID))
        refresh = True
    return _run(runner, ["--refresh"] if refresh else [], reporter)


def _run(runner: Runner, flags: Sequence[str], reporter: Reporter) -> _Ended:
    """Return how `pulumi up` ended; raises `UpdateInterrupted` or `CountryLocked`."""
    run = replace(this_run(), id=environment.run_id() or uuid.uuid4().hex[:12])
    reporter.heading(" ".join(["pulumi up -s", runner.name, *flags]))
    with tempfile.TemporaryDirectory(prefix="dive-up-") as folder:
        channel, log = Path(folder) / "refused", Path(folder) / "events"
        command = runner.command("up", "--yes", "--skip-preview", *flags, "--event-log", str(log))
        variables = {
            **runner.environment,
            environment.REFUSED: str(channel),
            environment.RUN_ID: run.id,
            "PULUMI_DEBUG_COMMANDS": "true",  # without it, Pulumi does not know --event-log
        }
        code, interrupted = run_in_foreground(command, runner.folder, variables)
        refusal = lock_refusal.refusal(channel)
        error = _first_error(log) if code else None
    if interrupted:
        raise UpdateInterrupted(
            f"`pulumi up -s {runner.name}` was interrupted; what is done is kept", Remedy.deploy(runner.country)
        )
    if refusal:
        raise CountryLocked(refusal)
    return _Ended(code, run, error)


def _first_error(log: Path) -> UpdateError | None:
    """Return the first error in a log of events, which may be missing or end in the middle of a line."""
    written = log.read_text() if log.exists() else ""
    return first_error(written.rpartition("\n")[0].splitlines())


def _failure(runner: Runner, ended: _Ended, reporter: Reporter) -> CountryLocked | UpdateFailed:
    """Record the failure of an update, and return it.

    Another process deploys now, or the country is deployed in part, or neither.
    """
    cause = f"`pulumi up -s {runner.name}` failed; its message above names the cause"
    remedy = Remedy.deploy(runner.country, f"fix it, then run {UP}")
    if any(update.live for update in backend_locks(runner.name, runner.environment)):
        return CountryLocked(cause, remedy)
    if ended.code < 0:  # a signal ended Pulumi: the record has an interrupted run
        return UpdateFailed(cause, remedy)
    try:
        access = read_stack(runner.name, runner.state()).store
        before = failed_update.record(access, ended.run, runner.country, ended.error) if access else None
    except Locked:
        return CountryLocked(cause, remedy)
    except (PulumiFailed, RecordError) as error:
        reporter.line(f"{runner.country}: this failure is not in the record: {error}")
        return UpdateFailed(cause, remedy)
    return PartlyDeployed(cause, remedy) if before and before.state == State.PARTIAL else UpdateFailed(cause, remedy)


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
