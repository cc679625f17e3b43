"""Emptying the state of a stack: what Pulumi believes of a country that is gone. Its history and settings stay."""

import json
import tempfile
from pathlib import Path

from dive_infra.automation.backend_lock import updates
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.state_export import exported
from dive_infra.config.paths import HOME


def resources(state: dict[str, object]) -> tuple[int, int]:
    """How many resources and pending operations an exported state holds."""
    deployment = state.get("deployment")
    found = deployment if isinstance(deployment, dict) else {}
    return len(found.get("resources") or []), len(found.get("pending_operations") or [])


def empty(stack: str) -> None:
    """Takes every resource and every pending operation out of the stack's state; raises `PulumiFailed`.

    A lock that a dead process left is taken away; the caller has made sure that nobody lives who holds it.
    """
    if updates(stack):
        Runner.of(stack).ask("cancel", "--yes")
    state = exported(stack)
    deployment = state.get("deployment") or {}
    state["deployment"] = {key: v for key, v in deployment.items() if key not in ("resources", "pending_operations")}
    with tempfile.NamedTemporaryFile("w", dir=HOME if HOME.exists() else None, suffix=".json", delete=False) as file:
        json.dump(state, file)  # nothing but a header: no secret
    try:
        Runner.of(stack).ask("stack", "import", "--force", "--file", file.name)
    finally:
        Path(file.name).unlink()
