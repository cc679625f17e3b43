"""The links of a country that are not proven yet."""

from dive_infra.automation.stack_state import StackState, read_stack
from dive_infra.automation.state_export import export_state
from dive_infra.orchestration.overview import read_overview


def pending(stack: StackState) -> list[str]:
    """Return the partners of a country whose links were never proven; raises `RecordError`."""
    if stack.store is None:
        return []
    links = read_overview(stack.store, stack.code).links
    return sorted({link.target if link.source == stack.code else link.source for link in links if link.age is None})


def pending_of(code: str) -> list[str]:
    """Return the same of a country by its code; raises `RecordError`, `NotDeployed` or `PulumiFailed`."""
    return pending(read_stack(code.lower(), export_state(code.lower())))
