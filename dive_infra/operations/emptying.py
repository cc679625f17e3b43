"""Emptying the state of a stack: what Pulumi believes of a country that is gone. Its history and settings stay."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from dive_infra.machine.state import HOME, STACKS
from dive_infra.operations.export import StateUnreadable, exported
from dive_infra.operations.updating import updates


def resources(state: dict[str, object]) -> tuple[int, int]:
    """How many resources and pending operations an exported state holds."""
    deployment = state.get("deployment")
    found = deployment if isinstance(deployment, dict) else {}
    return len(found.get("resources") or []), len(found.get("pending_operations") or [])


def empty(stack: str) -> None:
    """Takes every resource and every pending operation out of the stack's state; raises `StateUnreadable`.

    A lock that a dead process left is taken away; the caller has made sure that nobody lives who holds it.
    """
    if updates(stack):
        _pulumi("cancel", "--yes", "-s", stack)
    state = exported(stack)
    deployment = state.get("deployment") or {}
    state["deployment"] = {key: v for key, v in deployment.items() if key not in ("resources", "pending_operations")}
    with tempfile.NamedTemporaryFile("w", dir=HOME if HOME.exists() else None, suffix=".json", delete=False) as file:
        json.dump(state, file)  # nothing but a header: no secret
    try:
        _pulumi("stack", "import", "--force", "--file", file.name, "-s", stack)
    finally:
        Path(file.name).unlink()


def _pulumi(*arguments: str) -> None:
    command = ["pulumi", *arguments, "--non-interactive"]
    done = subprocess.run(command, cwd=STACKS, env=os.environ, capture_output=True, text=True)
    if done.returncode:
        raise StateUnreadable(f"`pulumi {' '.join(arguments[:2])}` failed: {' '.join(done.stderr.split())}")
