"""What a killed run leaves behind in Pulumi, cleared before the next one: its lock, and pending operations.

Only the lock of a process that is proven dead is cleared. An owner that is alive, on another host or unreadable keeps
it: `CountryLocked`.
"""

import fcntl
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dive_infra.automation import leftover_processes, pending_creates, truncated_state
from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.lock_owner import LOCKED, Liveness, LockOwner, liveness, owners
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.reporter import Reporter
from dive_infra.automation.stack_state import read_stack
from dive_infra.automation.state_providers import refuse_foreign
from dive_infra.config.paths import HOME
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import read_overview
from dive_infra.results.remedy import Remedy

_STACK = "pulumi:pulumi:Stack"
_EXISTS = "already exists"


@dataclass(frozen=True)
class Recovered:
    """The stack's `state`, secrets in plain text.

    `open`: a server may still complete a create of the killed run. Then `clear` is due after a run that succeeded, and
    another `recover` after one that failed.
    """

    state: dict[str, Any]
    open: bool = False


def recover(runner: Runner, reporter: Reporter) -> Recovered:
    """Make the stack ready for a run; creates the stack if it does not exist.

    Raises `PulumiFailed`, `CountryLocked` if the owner of the lock is not proven dead, or `ForeignProviders`: Pulumi
    has run nothing of the state until then.
    """
    killed = _unlock(runner, reporter)
    _repair_state(runner, reporter)
    state = runner.state()
    refuse_foreign(runner.name, state)
    if killed or pending_operations(state):  # before looking for what was created
        for program in leftover_processes.end_in_folder(runner.folder):
            reporter.line(f"{runner.name}: ended {program}, left by a killed run")
    if not pending_operations(state):
        return Recovered(state)
    absent = _settle(runner, state, reporter)
    return Recovered(runner.state(), absent)


def clear_pending(runner: Runner, *targets: str) -> None:
    """Drop the pending creates from the state; without `targets` (URNs), refreshes only the stack resource itself.

    A refresh of that one resource costs nothing. Raises `PulumiFailed`.
    """
    resources = runner.state()["deployment"].get("resources") or []
    urns = targets or [r["urn"] for r in resources if r["type"] == _STACK]
    aims = [word for urn in urns for word in ("--target", urn)]
    runner.ask("refresh", "--clear-pending-creates", "--yes", "--skip-preview", *aims)


def pending_operations(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pending operations: each with its `type` (`creating` …) and its `resource`."""
    return [*((state.get("deployment") or {}).get("pending_operations") or [])]


def _unlock(runner: Runner, reporter: Reporter) -> bool:
    """Return True if a dead run had locked the stack."""
    with _one_at_a_time():
        _remove_ownerless(runner, reporter)
        refusal = "" if _free(runner) else _refusal(runner)
        if not refusal:
            return False
        found = owners(refusal)
        lives = [liveness(owner) for owner in found]
        if not found or any(answer != "dead" for answer, _ in lives):
            raise _locked(runner, refusal, found, lives)
        _repair_state(runner, reporter)  # `pulumi cancel` reads the state as well
        runner.ask("cancel", "--yes")
        for owner, (_, why) in zip(found, lives, strict=True):
            reporter.line(f"{runner.name}: cleared the lock of {owner}: {why}")
    return True


def _remove_ownerless(runner: Runner, reporter: Reporter) -> None:
    """Remove lock files that a power failure left without an owner: with one, Pulumi refuses every command.

    Raises `CountryLocked` if one may still be written.
    """
    for lock in backend_locks(runner.name, runner.environment):
        if not lock.flaw or lock.path is None:
            continue
        if lock.live is None:
            raise CountryLocked(
                f"{runner.country} is locked by {lock}; cannot determine whether that run is still alive",
                Remedy.decide(f"if no run is: rm {shlex.quote(str(lock.path))}, then: ./dive up {runner.country}"),
            )
        lock.path.unlink(missing_ok=True)
        reporter.line(f"{runner.name}: cleared the lock of {lock}")


def _repair_state(runner: Runner, reporter: Reporter) -> None:
    """Repair a state file that was truncated while it was written; requires that no process is writing it."""
    for line in truncated_state.repair(runner.name, runner.environment):
        reporter.line(f"{runner.name}: {line}")


def _free(runner: Runner) -> bool:
    """Return True if the stack exists in a folder of this machine, and no file there locks it: Pulumi starts slowly."""
    return truncated_state.has_state(runner.name, runner.environment) and not backend_locks(
        runner.name, runner.environment
    )


def _refusal(runner: Runner) -> str:
    """Return the message with which Pulumi refuses the locked stack, "" if it is free; creates a missing stack."""
    # `stack init` takes the lock before it checks whether the stack exists: no other command is as cheap.
    done = runner.run("stack", "init", "--no-select")
    if done.returncode == 0 or _EXISTS in done.stderr:
        return ""
    if LOCKED not in done.stderr:
        raise PulumiFailed(f"`pulumi stack init -s {runner.name}` failed: {done.stderr.strip()}")
    return done.stderr


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let one recovery run at a time: `pulumi cancel` removes every lock, including that of a faster recovery's run."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    with (HOME / "recovery.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the operating system frees it with its holder
        yield


def _locked(runner: Runner, refusal: str, found: list[LockOwner], lives: list[tuple[Liveness, str]]) -> CountryLocked:
    code, again = runner.country, f"./dive up {runner.country}"
    phase = _phase(runner)
    who = ", ".join(map(str, found)) or refusal.strip()
    if any(answer == "alive" for answer, _ in lives):
        remedy = Remedy.wait(f"wait for it to end, then: {again}")
        return CountryLocked(f"{code} is being deployed by {who}{phase}", remedy)
    why = "; ".join(why for _, why in lives) or "Pulumi does not name its owner"
    return CountryLocked(
        f"{code} is locked by {who}{phase}; cannot determine whether that run is still alive: {why}",
        Remedy.decide(f"look there; if it is not, pulumi cancel -s {runner.name}, then: {again}"),
    )


def _phase(runner: Runner) -> str:
    """Return `, phase SEEDING` if the record can be read."""
    try:
        access = read_stack(runner.name, runner.state()).store
        holder = read_overview(access, runner.name).holder if access else None
    except (PulumiFailed, RecordError):
        return ""  # the refusal is complete without it
    return f", phase {holder.phase}" if holder and holder.live else ""


def _settle(runner: Runner, state: Mapping[str, Any], reporter: Reporter) -> bool:
    """Remove what pending creates left; return True if a server may still complete one."""
    pending = pending_operations(state)
    reporter.line(f"{runner.name}: a run ended in the middle of {_listed(pending)}")
    creates = [op["resource"] for op in pending if op["type"] == "creating"]
    removal = pending_creates.remove(creates, state)
    for line in removal.report:
        reporter.line(f"  {line}")
    if removal.absent:
        return True
    recorded = {r["urn"] for r in state["deployment"].get("resources") or []}
    # A delete may have succeeded: the refresh finds out.
    deletes = [op["resource"]["urn"] for op in pending if op["type"] == "deleting"]
    clear_pending(runner, *(urn for urn in deletes if urn in recorded))
    return False


def _listed(pending: list[dict[str, Any]]) -> str:
    return ", ".join(f"{op['type']} {op['resource']['urn'].rsplit('::', 1)[-1]}" for op in pending)
