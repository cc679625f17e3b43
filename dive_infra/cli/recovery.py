"""What a killed run leaves behind in Pulumi, cleared before the next one: its lock, and operations without an end.

Cleared is only the lock of a process that is proven dead. Whoever lives, is on another host or can't be looked at keeps
it, and we end with exit code 3 (`BUSY`).
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dive_infra.cli import unrecorded
from dive_infra.cli.drift import record
from dive_infra.cli.pulumi import Stack
from dive_infra.cli.steps import console, fail
from dive_infra.machine.owner import LOCKED, Owner, owners, whether
from dive_infra.machine.state import HOME
from dive_infra.orchestration.access import StoreError
from dive_infra.orchestration.store import Store

BUSY = 3  # our exit code where somebody else deploys, or may do so

_STACK = "pulumi:pulumi:Stack"
_THERE = "already exists"


def recover(stack: Stack) -> dict[str, Any]:
    """Makes the stack ready for a run, and itself where it is not there; returns its state, secrets in plain text.

    Ends the command with `BUSY` when the stack is locked by anybody who is not proven dead.
    """
    _unlock(stack)
    state = stack.state()
    if operations(state):
        _settle(stack, state)
        state = stack.state()
    return state


def operations(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was begun and has no recorded end: each with its `type` (`creating` …) and its `resource`."""
    return [*((state.get("deployment") or {}).get("pending_operations") or [])]


def _unlock(stack: Stack) -> None:
    with _one_at_a_time():
        refusal = _refusal(stack)
        if not refusal:
            return
        found = owners(refusal)
        told = [whether(owner) for owner in found]
        if not found or any(answer != "dead" for answer, _ in told):
            _busy(stack, refusal, found, [why for _, why in told])
        stack.ask("cancel", "--yes")
        for owner, (_, why) in zip(found, told, strict=True):
            console.print(f"{stack.name}: cleared the lock of {owner}: {why}", markup=False, soft_wrap=True)


def _refusal(stack: Stack) -> str:
    """The words in which Pulumi refuses the stack as locked; empty when it is free. Makes the stack where it is not."""
    # Making a stack asks for its lock first, and then whether it is there already: nothing else is as cheap.
    done = stack.run("stack", "init", "--no-select")
    if done.returncode == 0 or _THERE in done.stderr:
        return ""
    if LOCKED not in done.stderr:
        fail(f"`pulumi stack init -s {stack.name}` failed: {done.stderr.strip()}")
    return done.stderr


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """`pulumi cancel` removes every lock: also that of a run which saw the same dead one and was faster."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    with (HOME / "recovery.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the operating system frees it with its holder
        yield


def _busy(stack: Stack, refusal: str, found: list[Owner], why: list[str]) -> None:
    alive = [owner for owner in found if whether(owner)[0] == "alive"]
    phase = _phase(stack)
    if alive:
        fail(
            f"{stack.name.upper()} is being deployed by {', '.join(map(str, alive))}{phase}; "
            f"next: wait for it to end, then: ./dive up {stack.name.upper()}",
            BUSY,
        )
    who = ", ".join(map(str, found)) or refusal.strip()
    fail(
        f"{stack.name.upper()} is locked by {who}{phase}; whether that run lives cannot be told"
        f"{': ' + '; '.join(why) if why else ''}; next: look there; if it does not, "
        f"pulumi cancel -s {stack.name}, then: ./dive up {stack.name.upper()}",
        BUSY,
    )


def _phase(stack: Stack) -> str:
    """`, phase SEEDING`, where the record tells it."""
    try:
        access = record(stack.state())
        if access:
            with Store(access) as store:
                holder = store.holder(stack.name)
            return f", phase {holder.phase}" if holder and holder.live else ""
    except StoreError:
        pass  # it is told without
    return ""


def _settle(stack: Stack, state: Mapping[str, Any]) -> None:
    begun = operations(state)
    console.print(f"{stack.name}: a run ended in the middle of {_listed(begun)}", markup=False, soft_wrap=True)
    made = [op["resource"] for op in begun if op["type"] == "creating"]
    for line in unrecorded.remove(made, state):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    # What is looked at again: what may be gone already. With nothing of it, the stack itself, which costs nothing.
    resources = state["deployment"].get("resources") or []
    looked = {op["resource"]["urn"] for op in begun if op["type"] == "deleting"}
    urns = [r["urn"] for r in resources if r["urn"] in looked] or [r["urn"] for r in resources if r["type"] == _STACK]
    targets = [word for urn in urns for word in ("--target", urn)]
    stack.ask("refresh", "--clear-pending-creates", "--yes", "--skip-preview", *targets)


def _listed(begun: list[dict[str, Any]]) -> str:
    return ", ".join(f"{op['type']} {op['resource']['urn'].rsplit('::', 1)[-1]}" for op in begun)
