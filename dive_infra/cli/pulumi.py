"""Running Pulumi from the command: in full view to deploy, quietly to ask."""

import json
import subprocess
from typing import Any

from dive_infra.cli.drift import unseen
from dive_infra.cli.exits import Exit
from dive_infra.cli.steps import console, fail
from dive_infra.findings import listing
from dive_infra.machine.state import ROOT
from dive_infra.operations.country import recorded
from dive_infra.operations.export import NotDeployed, StateUnreadable, exported
from dive_infra.operations.stack import read
from dive_infra.operations.updating import updates
from dive_infra.orchestration.access import StoreError
from dive_infra.orchestration.states import State


def deploy(stack: str) -> None:
    """One `pulumi up`, in full view, with a refresh where only that sees a change; ends the command when it fails."""
    stacks = {s["name"] for s in json.loads(pulumi("stack", "ls", "--json"))}
    if stack not in stacks:
        pulumi("stack", "init", stack, "--no-select")
    refresh: list[str] = []
    if stack in stacks and (findings := unseen(json.loads(pulumi("stack", "export", "--show-secrets", "-s", stack)))):
        console.print(listing(findings, "invalid"), markup=False)
        refresh = ["--refresh"]
    console.rule(" ".join(["pulumi up -s", stack, *refresh]))
    code, interrupted = _to_its_end(["pulumi", "up", "-s", stack, "--yes", "--skip-preview", *refresh])
    if interrupted:
        next_ = f"./dive up {stack.upper()}"
        fail(f"`pulumi up -s {stack}` was interrupted; what is done is kept; next: {next_}", Exit.INTERRUPTED)
    if code:
        fail(
            f"`pulumi up -s {stack}` failed; its message above names the cause; next: mend it, then "
            f"./dive up {stack.upper()} (where the stack is locked and nobody deploys: pulumi cancel -s {stack})",
            _how_it_ended(stack),
        )


def _how_it_ended(stack: str) -> Exit:
    """Of an update that failed: whether somebody else deploys now, or the country stands deployed in part."""
    if any(update.live for update in updates(stack)):
        return Exit.LOCKED
    try:
        access = read(stack, exported(stack)).store
        record = recorded(access, stack) if access else None
    except (NotDeployed, StateUnreadable, StoreError):
        return Exit.FINDINGS  # it failed; what else is so cannot be told
    if record and record.holder and record.holder.live:
        return Exit.LOCKED
    return Exit.PARTIAL if record and record.current and record.current.state == State.PARTIAL else Exit.FINDINGS


def _to_its_end(command: list[str]) -> tuple[int, bool]:
    """Runs a command in the foreground; its exit code, and whether Ctrl+C was pressed.

    The terminal gives Ctrl+C to Pulumi too, which then finishes what it has begun: it must not be killed before.
    """
    interrupted = False
    with subprocess.Popen(command, cwd=ROOT) as running:
        while True:
            try:
                return running.wait(), interrupted
            except KeyboardInterrupt:
                interrupted = True


def pulumi(*arguments: str) -> str:
    """The standard output of a pulumi command; a failing one ends this command with its message."""
    done = subprocess.run(["pulumi", *arguments, "--non-interactive"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        fail(f"`pulumi {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def outputs(stack: str) -> dict[str, Any]:
    found = json.loads(pulumi("stack", "output", "-s", stack, "--json"))
    assert isinstance(found, dict)
    return found
