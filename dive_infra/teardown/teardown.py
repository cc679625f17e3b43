"""Removing all of a country, however broken it is, without asking any of its own services; then looking whether it is.

Pulumi's destroy asks providers, and they ask services that may be gone. Here everything is removed where it is, the
state last, as it tells whose things are. Whatever fails is told and does not stop the rest; done again, it goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker

from dive_infra.automation import leftover_processes, stack_state
from dive_infra.automation.country_lock import Claim
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.state_export import NotDeployed, exported
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation, run
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker import engine
from dive_infra.identity.keycloak_admin import KeycloakError
from dive_infra.orchestration.access import DatabaseAccess, RecordError
from dive_infra.teardown import inventory, state_purge
from dive_infra.teardown.hub_side import Held, HubUnreadable, PartnerSide
from dive_infra.teardown.inventory import Belonging

_LOOK = 30.0  # seconds for all proofs


@dataclass(frozen=True)
class Inventory:
    """What there is of a country. `mark` is the id of its stack, empty without a state.

    `hub` is None for the hub itself, and where there is none; `away` says why what it holds could not be asked.
    """

    names: Names
    stack: str
    mark: str
    resources: int
    pending: int
    objects: tuple[Belonging, ...]
    files: tuple[Path, ...]
    hub: PartnerSide | None = None
    held: Held = field(default_factory=Held)
    away: str = ""
    record: DatabaseAccess | None = field(default=None, repr=False)

    @property
    def empty(self) -> bool:
        return not (self.resources or self.pending or self.objects or self.files or self.away) and self.held.empty

    @property
    def foreign(self) -> list[str]:
        """The marks of other stacks on what would go."""
        return sorted({b.stack for b in self.objects} - {"", self.mark})


def take_stock(names: Names, hub_stack: str) -> Inventory:
    """Looks everywhere; raises `CheckUnknown` or `PulumiFailed` where engine or state can't be asked."""
    client, name = engine.client(), names.country.lower
    mark, counts, record = "", (0, 0), None
    try:
        state = exported(name)
        stack = stack_state.read(name, state)
        mark, counts, record = stack.mark, state_purge.resources(state), stack.store
    except NotDeployed:
        pass  # lost, or never made; what is on the engine goes all the same
    objects = tuple(inventory.on_engine(client, names))
    found = tuple(inventory.files(names))
    if names.country.is_hub:
        return Inventory(names, name, mark, *counts, objects, found, record=record)
    hub = _hub(hub_stack, names)
    held, away = _held(hub)
    return Inventory(names, name, mark, *counts, objects, found, hub, held, away, hub.record if hub else None)


def _hub(hub_stack: str, spoke: Names) -> PartnerSide | None:
    name = hub_stack.rsplit("/", 1)[-1]
    try:
        hub = stack_state.read(name, exported(name))
    except NotDeployed:
        return None
    return PartnerSide(hub, spoke) if hub.resources else None


def _held(hub: PartnerSide | None) -> tuple[Held, str]:
    try:
        return (hub.held() if hub else Held()), ""
    except (KeycloakError, RecordError, HubUnreadable) as error:
        return Held(), str(error)


def remove(there: Inventory, held: Claim, tell: Callable[[str], None]) -> list[str]:
    """Removes all of it; returns what could not be removed, and why."""
    client = engine.client()
    for program in leftover_processes.end_in(ROOT):  # it would go on making what is removed here
        tell(f"{program}, left by a killed run")
    problems = inventory.remove(client, there.objects, tell)
    if there.hub and not there.away:
        problems += _at_hub(there, there.hub, held, tell)
    for path in there.files:
        path.unlink(missing_ok=True)
    if there.resources or there.pending:
        try:
            state_purge.empty(there.stack)
            tell(f"{there.resources} resources of stack {there.stack}")
        except (PulumiFailed, NotDeployed) as error:
            problems.append(str(error))
    return problems


def _at_hub(there: Inventory, hub: PartnerSide, held: Claim, tell: Callable[[str], None]) -> list[str]:
    problems: list[str] = []
    try:
        hub.forget_link()
        tell("the hub's side of the link")
    except KeycloakError as error:
        problems.append(f"the hub's side of the link: {error}")
    try:
        if held.store:
            held.store.erase(there.names.country.code, "NUKE")
            tell("the rows of the record")
    except RecordError as error:
        problems.append(f"the rows of the record: {error}")
    return problems


def proofs(there: Inventory) -> Validation:
    """Looks at everything anew."""
    code, names = there.names.country.code, there.names
    checks = [
        Check(f"the engine holds nothing of {code}", "engine", lambda: _engine_is_empty(engine.client(), names)),
        Check(f"the state of stack {there.stack} holds no resource", "state", lambda: _state_is_empty(there.stack)),
    ]
    if there.hub:
        hub = there.hub
        checks += [
            Check(f"the hub's realm knows nobody and nothing of {code}", "realm", lambda: _realm_is_empty(hub)),
            Check(f"the record holds {code} as history only", "record", lambda: _record_is_empty(hub)),
        ]
    return run(checks, _LOOK)


def _engine_is_empty(client: docker.DockerClient, names: Names) -> str:
    left = [*map(str, inventory.on_engine(client, names)), *(f"file {p.name}" for p in inventory.files(names))]
    return _nothing(left, "no container, volume, network or file")


def _state_is_empty(name: str) -> str:
    try:
        found, pending = state_purge.resources(exported(name))
    except NotDeployed:
        return "there is no such stack"
    except PulumiFailed as error:
        raise CheckUnknown(str(error)) from None
    return _nothing([f"{found} resources, {pending} pending operations"] if found or pending else [], "no resource")


def _realm_is_empty(hub: PartnerSide) -> str:
    held = _asked(hub)
    return _nothing([*held.realm, *([f"{held.people} people"] if held.people else [])], "no provider, client or person")


def _record_is_empty(hub: PartnerSide) -> str:
    held = _asked(hub)
    return _nothing([f"{n} in {table}" for table, n in held.rows.items() if n], f"{held.history} rows of history stay")


def _asked(hub: PartnerSide) -> Held:
    held, away = _held(hub)
    if away:
        raise CheckUnknown(away)
    return held


def _nothing(left: Sequence[str], told: str) -> str:
    if left:
        raise CheckFailed(", ".join(left), "nothing")
    return told
