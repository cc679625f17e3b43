"""`./dive nuke`: remove a country with all its data; listed first, confirmed by its code, verified afterwards."""

import sys
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.prompt import Prompt
from rich.table import Table

from dive_infra import engines
from dive_infra.automation.country_lock import hold_country, refuse_while_updating
from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.pulumi_cli import PulumiFailed, resource_counts
from dive_infra.automation.stack_config import all_codes
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail, fail_with, refuse
from dive_infra.cli.stacks import chosen
from dive_infra.config.settings import Settings
from dive_infra.engines.engine import EngineError
from dive_infra.results.finding import Verdict
from dive_infra.results.remedy import Remedy
from dive_infra.teardown import owned_objects, teardown
from dive_infra.teardown.inventory import Inventory, take_inventory


def nuke(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the code.")] = False,
) -> None:
    """Remove a country with all its data.

    Lists what will be removed, asks for the country's code, and verifies that nothing is left. Works on a broken
    or half deployed country too. Its data volumes are removed even where `dive:disposable` is not set: that
    setting protects them from `pulumi destroy` only, and typing the code of the country is the consent here.
    """
    [settings] = chosen([country])
    code = settings.country
    prepare()
    try:
        if settings.is_hub:
            _refuse_while_spokes_exist(settings)
        inventory = take_inventory(settings.names)
        refuse_while_updating([code])
    except (EngineError, PulumiFailed) as error:
        fail_with(error, "nothing was removed", Exit.UNKNOWN)
    except CountryLocked as locked:
        refuse(locked, "nothing was removed", f"./dive nuke {code}")
    if inventory.empty:
        console.print(f"[green]✓[/] nothing to remove of {code}")
        return
    _show(inventory)
    _confirm(inventory, yes)
    try:
        with hold_country(inventory.record, code, "NUKE"):  # or without: its record may be what is broken
            problems = teardown.remove(inventory, lambda removed: console.print(f"  removed: {escape(removed)}"))
    except CountryLocked as locked:
        refuse(locked, "nothing was removed", f"./dive nuke {code}")
    _prove(inventory, problems)


def _refuse_while_spokes_exist(hub: Settings) -> None:
    spokes = owned_objects.countries_on_engine(engines.connect(), hub.namespace) - {hub.country}
    deployed = {name.upper() for name, resources in resource_counts().items() if resources}
    spokes |= deployed & set(hub.spokes)
    if spokes:
        fail(
            f"the hub is in use by {', '.join(sorted(spokes))}; nothing was removed",
            remedy=Remedy.run(", ".join(f"./dive nuke {code}" for code in sorted(spokes))),
        )


def _show(inventory: Inventory) -> None:
    code = inventory.names.country.code
    table = Table(title=f"will be removed from {code}", title_justify="left", show_header=False)
    for one in inventory.objects:
        table.add_row(one.kind, one.name, decimal(one.size) if one.size is not None else "")
    for path in inventory.files:
        table.add_row("file", path.name, "")
    if inventory.resources or inventory.pending:
        pending = f", {inventory.pending} pending operations" if inventory.pending else ""
        table.add_row("state", f"stack {inventory.stack}", f"{inventory.resources} resources{pending}")
    console.print(table)
    for mark in inventory.foreign:
        console.print(
            f"[yellow]‼[/] some of this belongs to stack {mark}, not to this checkout's {inventory.mark or '(none)'}",
            soft_wrap=True,
        )


def _confirm(inventory: Inventory, yes: bool) -> None:
    code = inventory.names.country.code
    if yes and inventory.mark and inventory.foreign:
        again = Remedy.run(f"./dive nuke {code}")
        fail("--yes does not cover objects of another checkout; nothing was removed", remedy=again)
    if yes:
        return
    if not sys.stdin.isatty():
        confirmed = Remedy.run(f"./dive nuke {code} --yes")
        fail("no terminal to confirm on; nothing was removed", Exit.UNKNOWN, confirmed)
    if Prompt.ask(f"type {code} to remove all of this, including its data", console=console).strip() != code:
        fail(f"the code does not match, expected {code}; nothing was removed")


def _prove(inventory: Inventory, problems: list[str]) -> None:
    code = inventory.names.country.code
    found = teardown.verify(inventory)
    for finding in found.findings:
        console.print(escape(str(finding)), soft_wrap=True)
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    if problems or found.verdict != Verdict.VALID:
        again = Remedy.decide(f"fix that, then run ./dive nuke {code}")
        fail(f"{code} was removed in part, see above", Exit.PARTIAL, again)
    console.print(f"{code} was removed; to deploy it again: ./dive up {code}")
