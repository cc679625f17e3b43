"""Inventory of a country before its removal: Docker objects, files and Pulumi's state."""

from dataclasses import dataclass, field
from pathlib import Path

from dive_infra import engines
from dive_infra.automation import stack_state
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.config.naming import Names
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.teardown import owned_objects, state_purge
from dive_infra.teardown.owned_objects import OwnedObject


@dataclass(frozen=True)
class Inventory:
    """Everything that a country has. `mark` is the owner id of its stack, empty without a state."""

    names: Names
    stack: str
    mark: str
    resources: int
    pending: int
    objects: tuple[OwnedObject, ...]
    files: tuple[Path, ...]
    record: DatabaseAccess | None = field(default=None, repr=False)

    @property
    def empty(self) -> bool:
        """Return True if nothing is left to remove."""
        return not (self.resources or self.pending or self.objects or self.files)

    @property
    def foreign(self) -> list[str]:
        """Return the owner ids of other stacks on these objects."""
        return sorted({o.stack for o in self.objects} - {"", self.mark})


def take_inventory(names: Names) -> Inventory:
    """Return the inventory of a country; raises `EngineError` or `PulumiFailed` if engine or state cannot be read.

    The names that it is deployed with count, `names` only without a state.
    """
    engine, name = engines.connect(), names.country.lower
    mark, counts, record = "", (0, 0), None
    try:
        state = export_state(name)
        stack = stack_state.read_stack(name, state)
        mark, counts, record = stack.mark, state_purge.count_resources(state), stack.store
        names = stack.names or names  # its settings may have been edited since
    except NotDeployed:
        pass  # the state is lost or was never created; objects on the engine are removed all the same
    objects = tuple(owned_objects.engine_objects(engine, names))
    files = tuple(owned_objects.local_files(names))
    return Inventory(names, name, mark, *counts, objects, files, record)
