"""Purge a stack's state after the country itself has been removed. Its history and settings are kept."""

import json
import tempfile
from pathlib import Path

from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.state_export import export_state
from dive_infra.config.paths import HOME


def count_resources(state: dict[str, object]) -> tuple[int, int]:
    """Return the numbers of resources and pending operations in an exported state."""
    deployment = state.get("deployment")
    found = deployment if isinstance(deployment, dict) else {}
    return len(found.get("resources") or []), len(found.get("pending_operations") or [])


def purge(stack: str) -> None:
    """Remove every resource and pending operation from the stack's state; raises `PulumiFailed`.

    Removes a lock as well: the caller has checked that its owner is dead.
    """
    if backend_locks(stack):
        Runner.of(stack).ask("cancel", "--yes")
    state = export_state(stack)
    deployment = state.get("deployment") or {}
    state["deployment"] = {key: v for key, v in deployment.items() if key not in ("resources", "pending_operations")}
    with tempfile.NamedTemporaryFile("w", dir=HOME if HOME.exists() else None, suffix=".json", delete=False) as file:
        json.dump(state, file)  # only a header is left: no secret
    try:
        Runner.of(stack).ask("stack", "import", "--force", "--file", file.name)
    finally:
        Path(file.name).unlink()
