"""Inventory of a country before its removal: Docker objects, files, Pulumi's state, and its data at the hub."""

from dataclasses import dataclass, field
from pathlib import Path

from dive_infra import engines
from dive_infra.automation import stack_state
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.config.naming import Names
from dive_infra.orchestration.access import DatabaseAccess, RecordError
from dive_infra.teardown import owned_objects, state_purge
from dive_infra.teardown.hub_side import HubData, HubSide
from dive_infra.teardown.owned_objects import OwnedObject


@dataclass(frozen=True)
class Inventory:
    """Everything that a country has. `mark` is the owner id of its stack, empty without a state.

    `hub` is None for the hub itself, and if no hub is deployed. `hub_error` says why the hub's data could not be read.
    """

    names: Names
    stack: str
    mark: str
    resources: int
    pending: int
    objects: tuple[OwnedObject, ...]
    files: tuple[Path, ...]
    hub: HubSide | None = None
    hub_data: HubData = field(default_factory=HubData)
    hub_error: str = ""
    record: DatabaseAccess | None = field(default=None, repr=False)

    @property
    def empty(self) -> bool:
        """Return True if nothing is left to remove."""
        local = self.resources or self.pending or self.objects or self.files
        return not (local or self.hub_error) and self.hub_data.empty

    @property
    def foreign(self) -> list[str]:
        """Return the owner ids of other stacks on these objects."""
        return sorted({o.stack for o in self.objects} - {"", self.mark})


def take_inventory(names: Names, hub_stack: str) -> Inventory:
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
    if names.country.is_hub:
        return Inventory(names, name, mark, *counts, objects, files, record=record)
    hub = _hub(hub_stack, names)
    data, error = observe_hub(hub)
    return Inventory(names, name, mark, *counts, objects, files, hub, data, error, hub.record if hub else None)


def _hub(hub_stack: str, spoke: Names) -> HubSide | None:
    name = hub_stack.rsplit("/", 1)[-1]
    try:
        hub = stack_state.read_stack(name, export_state(name))
    except NotDeployed:
        return None
    return HubSide(hub, spoke) if hub.resources else None


def observe_hub(hub: HubSide | None) -> tuple[HubData, str]:
    """Return the country's data at the hub, and why it could not be read."""
    try:
        return (hub.observe() if hub else HubData()), ""
    except RecordError as error:
        return HubData(), str(error)
