"""What a country waits for after an update: links that are not proven yet, and policies of its hub."""

from dive_infra.automation.stack_state import StackState, read_stack
from dive_infra.automation.state_export import export_state
from dive_infra.checks import policy_engine
from dive_infra.checks.partners import Pending
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.orchestration.overview import read_overview
from dive_infra.orchestration.states import Phase


def links(stack: StackState) -> list[str]:
    """Return the partners of a country whose links were never proven; raises `RecordError`."""
    if stack.store is None:
        return []
    recorded = read_overview(stack.store, stack.code).links
    return sorted({link.target if link.source == stack.code else link.source for link in recorded if link.age is None})


def links_of(code: str) -> list[str]:
    """Return the same of a country by its code; raises `RecordError`, `NotDeployed` or `PulumiFailed`."""
    return links(read_stack(code.lower(), export_state(code.lower())))


def policies(stack: StackState) -> Pending | None:
    """Return why a country has no policies of its hub yet, and therefore permits nothing; None if it has."""
    spec = stack.spec(Phase.DEPLOYMENT)
    return policy_engine.awaited(spec) if isinstance(spec, DeploymentSpec) else None
