"""The links of a country that are not proven yet."""

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_state import StackState, read_stack
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import fail_with
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import read_overview


def pending(stack: StackState) -> list[str]:
    """Return the partners of a country whose links were never proven; a record out of reach ends the command."""
    if stack.store is None:
        return []
    try:
        links = read_overview(stack.store, stack.code).links
    except RecordError as error:
        fail_with(error, "whether its links are proven is unknown", Exit.UNKNOWN)
    return sorted({link.target if link.source == stack.code else link.source for link in links if link.age is None})


def pending_of(code: str) -> list[str]:
    """Return the same of a country by its code."""
    try:
        return pending(read_stack(code.lower(), export_state(code.lower())))
    except (NotDeployed, PulumiFailed) as error:
        fail_with(error, "whether its links are proven is unknown", Exit.UNKNOWN)
