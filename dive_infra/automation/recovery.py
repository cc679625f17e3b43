"""What a killed run leaves behind in Pulumi, cleared before the next one: its lock, and operations without an end.

Cleared is only the lock of a process that is proven dead. Whoever lives, is on another host or can't be looked at keeps
it, and we end with `Exit.LOCKED`.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from dive_infra.automation import leftover_processes, pending_creates, truncated_state
from dive_infra.automation.lock_owner import LOCKED, Answer, Owner, owners, whether
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.stack_state import read
from dive_infra.automation.workspace import HOME
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail
from dive_infra.diagnosis.snapshot import recorded
from dive_infra.orchestration.access import RecordError

_STACK = "pulumi:pulumi:Stack"
_THERE = "already exists"


@dataclass(frozen=True)
class Recovered:
    """`state` is the stack's, secrets in plain text; `open`: of what a killed run began, something may still come.

    Then `clear` is due after a run that succeeded, and another `recover` after one that failed.
    """

    state: dict[str, Any]
    open: bool = False


def recover(runner: Runner) -> Recovered:
    """Makes the stack ready for a run, and itself where it is not there.

    Ends the command, with `Exit.LOCKED` when the stack is locked by anybody who is not proven dead.
    """
    try:
        killed = _unlock(runner)
        _make_whole(runner)
        state = runner.state()
        if killed or operations(state):  # before looking what was made
            for program in leftover_processes.end_in(runner.folder):
                console.print(f"{runner.name}: ended {program}, left by a killed run", markup=False, soft_wrap=True)
        if not operations(state):
            return Recovered(state)
        absent = _settle(runner, state)
        return Recovered(runner.state(), absent)
    except PulumiFailed as error:
        fail(str(error))


def clear(runner: Runner, *targets: str) -> None:
    """Forgets what was begun and not recorded; looks at the stack itself where there are no `targets` (URNs).

    Looking at nothing else costs nothing. Raises `PulumiFailed`.
    """
    resources = runner.state()["deployment"].get("resources") or []
    urns = targets or [r["urn"] for r in resources if r["type"] == _STACK]
    aims = [word for urn in urns for word in ("--target", urn)]
    runner.ask("refresh", "--clear-pending-creates", "--yes", "--skip-preview", *aims)


def operations(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was begun and has no recorded end: each with its `type` (`creating` …) and its `resource`."""
    return [*((state.get("deployment") or {}).get("pending_operations") or [])]


def _unlock(runner: Runner) -> bool:
    """Whether there was a lock of a dead run."""
    with _one_at_a_time():
        refusal = _refusal(runner)
        if not refusal:
            return False
        found = owners(refusal)
        told = [whether(owner) for owner in found]
        if not found or any(answer != "dead" for answer, _ in told):
            _locked(runner, refusal, found, told)
        _make_whole(runner)  # Pulumi wants to read the state, also to free it
        runner.ask("cancel", "--yes")
        for owner, (_, why) in zip(found, told, strict=True):
            console.print(f"{runner.name}: cleared the lock of {owner}: {why}", markup=False, soft_wrap=True)
    return True


def _make_whole(runner: Runner) -> None:
    """Of a state that was cut off while it was written; nobody deploys."""
    for line in truncated_state.mend(runner.name, runner.environment):
        console.print(f"{runner.name}: {line}", markup=False, soft_wrap=True)


def _refusal(runner: Runner) -> str:
    """The words in which Pulumi refuses the stack as locked; empty when it is free. Makes the stack where it is not."""
    # Making a stack asks for its lock first, and then whether it is there already: nothing else is as cheap.
    done = runner.run("stack", "init", "--no-select")
    if done.returncode == 0 or _THERE in done.stderr:
        return ""
    if LOCKED not in done.stderr:
        raise PulumiFailed(f"`pulumi stack init -s {runner.name}` failed: {done.stderr.strip()}")
    return done.stderr


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """`pulumi cancel` removes every lock: also that of a run which saw the same dead one and was faster."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    with (HOME / "recovery.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the operating system frees it with its holder
        yield


def _locked(runner: Runner, refusal: str, found: list[Owner], told: list[tuple[Answer, str]]) -> NoReturn:
    code, again = runner.country, f"./dive up {runner.country}"
    phase = _phase(runner)
    who = ", ".join(map(str, found)) or refusal.strip()
    if any(answer == "alive" for answer, _ in told):
        fail(f"{code} is being deployed by {who}{phase}; next: wait for it to end, then: {again}", Exit.LOCKED)
    why = "; ".join(why for _, why in told) or "its owner is not named"
    fail(
        f"{code} is locked by {who}{phase}; whether that run lives cannot be told: {why}; next: look there; if it does "
        f"not, pulumi cancel -s {runner.name}, then: {again}",
        Exit.LOCKED,
    )


def _phase(runner: Runner) -> str:
    """`, phase SEEDING`, where the record tells it."""
    try:
        access = read(runner.name, runner.state()).store
        holder = recorded(access, runner.name).holder if access else None
    except (PulumiFailed, RecordError):
        return ""  # told without
    return f", phase {holder.phase}" if holder and holder.live else ""


def _settle(runner: Runner, state: Mapping[str, Any]) -> bool:
    """Whether something may still come."""
    begun = operations(state)
    console.print(f"{runner.name}: a run ended in the middle of {_listed(begun)}", markup=False, soft_wrap=True)
    made = [op["resource"] for op in begun if op["type"] == "creating"]
    removal = pending_creates.remove(made, state)
    for line in removal.told:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if removal.absent:
        return True
    recorded = {r["urn"] for r in state["deployment"].get("resources") or []}
    # What may be gone already is looked at again.
    clear(runner, *(urn for op in begun if op["type"] == "deleting" and (urn := op["resource"]["urn"]) in recorded))
    return False


def _listed(begun: list[dict[str, Any]]) -> str:
    return ", ".join(f"{op['type']} {op['resource']['urn'].rsplit('::', 1)[-1]}" for op in begun)
