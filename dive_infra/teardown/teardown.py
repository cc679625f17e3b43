"""Remove a country without asking any of its own services, and verify that nothing is left.

Pulumi's destroy asks providers, which ask services that may be broken. Here each object is removed directly; the state
goes last, because it says who owns what. A failure is reported and does not stop the rest; a second run continues.
"""

from collections.abc import Callable, Sequence

from dive_infra import engines
from dive_infra.automation import leftover_processes
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation, run
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from dive_infra.engines.engine import Engine
from dive_infra.teardown import owned_objects, state_purge
from dive_infra.teardown.inventory import Inventory

_SECONDS = 30.0  # for all proofs


def remove(inventory: Inventory, report: Callable[[str], None]) -> list[str]:
    """Remove everything of the inventory; return a line for each part that was not removed."""
    engine = engines.connect()
    for program in leftover_processes.end_in_folder(ROOT):  # it would recreate what is removed here
        report(f"{program}, left by a killed run")
    problems = owned_objects.remove(engine, inventory.objects, report)
    for path in inventory.files:
        path.unlink(missing_ok=True)
    if inventory.resources or inventory.pending:
        try:
            state_purge.purge(inventory.stack)
            report(f"{inventory.resources} resources of stack {inventory.stack}")
        except (PulumiFailed, NotDeployed) as error:
            problems.append(str(error))
    return problems


def verify(inventory: Inventory) -> Validation:
    """Search again everywhere, and validate that nothing of the country is left."""
    code, names = inventory.names.country.code, inventory.names
    checks = [
        Check(f"the engine holds no object of {code}", "engine", lambda: _engine_is_empty(engines.connect(), names)),
        Check(
            f"the state of stack {inventory.stack} holds no resource",
            "state",
            lambda: _state_is_empty(inventory.stack),
        ),
    ]
    return run(checks, _SECONDS)


def _engine_is_empty(engine: Engine, names: Names) -> str:
    objects = map(str, owned_objects.engine_objects(engine, names))
    files = (f"file {path.name}" for path in owned_objects.local_files(names))
    return _expect_none([*objects, *files], "no container, volume, network or file")


def _state_is_empty(name: str) -> str:
    try:
        found, pending = state_purge.count_resources(export_state(name))
    except NotDeployed:
        return "the stack does not exist"
    except PulumiFailed as error:
        raise CheckUnknown(str(error)) from None
    left = [f"{found} resources, {pending} pending operations"] if found or pending else []
    return _expect_none(left, "no resource")


def _expect_none(left: Sequence[str], evidence: str) -> str:
    if left:
        raise CheckFailed(", ".join(left), "nothing")
    return evidence
