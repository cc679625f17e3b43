"""A spoke's rows in the record, which the hub keeps.

The approval (a grant, a role, data about the country) and the hub's own side of the link belong to the hub, and stay
as long as `dive:spokes` has the country.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dive_infra.automation.stack_state import StackState
from dive_infra.config.naming import Names
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.store import Store


@dataclass(frozen=True)
class HubData:
    """The spoke's data: `rows` is table -> count, `history` is kept."""

    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    history: int = 0

    @property
    def empty(self) -> bool:
        """Return True if nothing is left to remove."""
        return not any(self.rows.values())


class HubSide:
    """Access to a spoke's data at the hub, through the hub's state."""

    def __init__(self, hub: StackState, spoke: Names) -> None:
        self._spoke = spoke
        self.record: DatabaseAccess | None = hub.store

    def observe(self) -> HubData:
        """Return the spoke's data; raises `RecordError`."""
        if self.record is None:
            return HubData()
        with Store(self.record) as store:
            code = self._spoke.country.code
            return HubData(store.rows(code), store.history(code))
