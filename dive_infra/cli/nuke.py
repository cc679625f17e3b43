"""`./dive nuke`: all of a country goes, data included; shown before, confirmed by its code, proven after."""

import sys
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.prompt import Prompt
from rich.table import Table

from dive_infra.automation.country_lock import Busy, claim, refuse_while_updating
from dive_infra.automation.pulumi_cli import PulumiFailed, stacks
from dive_infra.automation.stack_config import all_codes
from dive_infra.checks.runner import CheckUnknown
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail
from dive_infra.cli.stacks import chosen
from dive_infra.config.settings import Settings
from dive_infra.engines.docker import engine
from dive_infra.results.finding import Verdict
from dive_infra.teardown import inventory, teardown
from dive_infra.teardown.teardown import Inventory


def nuke(
    country: Annotated[str, typer.Argument(help="the country's code, such as FRA", autocompletion=all_codes)],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for the code")] = False,
    local_only: Annotated[
        bool, typer.Option("--local-only", help="go on where the hub is out of reach; what it holds remains")
    ] = False,
) -> None:
    """Remove a country with all its data, however broken it is, and prove that nothing of it is left."""
    [settings] = chosen([country])
    code = settings.country
    prepare()
    try:
        if settings.is_hub:
            _refuse_while_spokes_live(settings)
        there = teardown.take_stock(settings.names, settings.hub)
        refuse_while_updating([code])
    except (CheckUnknown, PulumiFailed) as error:
        fail(f"{error}; nothing was removed", Exit.UNKNOWN)
    except Busy as busy:
        fail(f"{busy}; nothing was removed; next: wait for it to end, then again", Exit.LOCKED)
    if there.empty:
        console.print(f"[green]✓[/] there is nothing of {code}")
        return
    _show(there)
    if there.away and not local_only:
        fail(
            f"the hub is out of reach, so its side of {code} can't be removed: {there.away}\nnothing was removed; "
            f"next: ./dive up {settings.hub_names.country.code}, then again; or, leaving that behind: "
            f"./dive nuke {code} --local-only"
        )
    _confirm(there, yes)
    try:
        with claim(there.record, code, "NUKE") as held:
            if held.unheld and there.hub:
                console.print(f"[yellow]‼[/] without the lock of {code}: {escape(held.unheld)}", soft_wrap=True)
            problems = teardown.remove(there, held, lambda gone: console.print(f"  removed: {escape(gone)}"))
    except Busy as busy:
        fail(f"{busy}; nothing was removed; next: wait for it to end, then again", Exit.LOCKED)
    _prove(there, problems)


def _refuse_while_spokes_live(hub: Settings) -> None:
    lives = inventory.countries(engine.client(), hub.namespace) - {hub.country}
    deployed = {name.upper() for name, resources in stacks().items() if resources}
    lives |= deployed & set(hub.spokes)
    if lives:
        fail(
            f"the hub is still in use by {', '.join(sorted(lives))}; nothing was removed; next: "
            + ", ".join(f"./dive nuke {code}" for code in sorted(lives))
        )


def _show(there: Inventory) -> None:
    code = there.names.country.code
    table = Table(title=f"all of {code} goes", title_justify="left", show_header=False)
    for one in there.objects:
        table.add_row(one.kind, one.name, decimal(one.size) if one.size is not None else "")
    for path in there.files:
        table.add_row("file", path.name, "")
    for held in there.held.realm:
        table.add_row("at the hub", held, "")
    if there.held.people:
        table.add_row("at the hub", "people who came from there", str(there.held.people))
    for name, count in there.held.rows.items():
        if count:
            table.add_row("record", name, f"{count} row{'s' if count > 1 else ''}")
    if there.resources or there.pending:
        pending = f", {there.pending} pending operations" if there.pending else ""
        table.add_row("state", f"stack {there.stack}", f"{there.resources} resources{pending}")
    console.print(table)
    if there.hub and there.held.history:
        console.print(
            f"stays: {there.held.history} rows of history in the record; the hub's approval of {code}", soft_wrap=True
        )
    for mark in there.foreign:
        console.print(
            f"[yellow]‼[/] some of it is of stack {mark}, not of this checkout's {there.mark or '(none)'}",
            soft_wrap=True,
        )


def _confirm(there: Inventory, yes: bool) -> None:
    code = there.names.country.code
    if yes and there.mark and there.foreign:
        fail(f"--yes does not cover what another checkout has deployed; nothing was removed; next: ./dive nuke {code}")
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"nobody is here to confirm; nothing was removed; next: ./dive nuke {code} --yes", Exit.UNKNOWN)
    if Prompt.ask(f"type {code} to remove all of it, its data included", console=console).strip() != code:
        fail("that is not its code; nothing was removed")


def _prove(there: Inventory, problems: list[str]) -> None:
    code = there.names.country.code
    found = teardown.proofs(there)
    for finding in found.findings:
        console.print(escape(str(finding)), soft_wrap=True)
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    if there.away:
        console.print(f"[red]✗[/] what the hub holds of {code} remains: {escape(there.away)}", soft_wrap=True)
    if problems or there.away or found.verdict != Verdict.VALID:
        fail(f"some of {code} remains, see above; next: mend that, then: ./dive nuke {code}", Exit.PARTIAL)
    console.print(f"{code} is gone; next: ./dive up {code} begins anew")
