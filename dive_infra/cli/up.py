"""`./dive up`: deploy countries on a bare machine and verify them."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from dive_infra import engines
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.stack_state import StackState
from dive_infra.cli import fleet, images, links
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.history import leave_report
from dive_infra.cli.new import enrol_all
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail
from dive_infra.cli.stacks import chosen
from dive_infra.config.countries import HUB_CODE
from dive_infra.results.remedy import UP, Remedy


def up(
    countries: Annotated[
        list[str] | None, typer.Argument(help="Codes such as FRA; by default the hub, then France.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The hub, then all its spokes in parallel.")] = False,
    parallel: Annotated[int, typer.Option(min=1, help="With --all: how many spokes at a time.")] = 2,
) -> None:
    """Deploy countries, and verify them by logins.

    The hub comes first. A phase that is complete and valid is skipped. At the end it shows where to log in.
    """
    if everyone:
        if countries:
            fail(f"found --all and {', '.join(countries)}, expected one of them", Exit.UNKNOWN)
        fleet.up(parallel)
    wanted = chosen(countries or images.DEFAULT)
    prepare()
    images.ensure(wanted)
    enrol_all(wanted)
    shown: dict[str, Table] = {}
    pending: dict[str, list[str]] = {}
    for code in [s.country for s in wanted]:
        shown[code], pending[code] = _deployed(code)
    for code in [code for code, partners in pending.items() if not pending.keys().isdisjoint(partners)]:
        shown[code], pending[code] = _deployed(code)  # the partner has declared its side since
    for table in shown.values():
        console.print(table)
    console.print('a shell in which plain pulumi works: eval "$(./dive env)"')
    late = {code: partners for code, partners in pending.items() if partners and code != HUB_CODE}
    for code, partners in late.items():
        again = Remedy.deploy(code, f"once {', '.join(partners)} is deployed and answers, run {UP}")
        console.print(
            f"[yellow]‼[/] {code}: the link to {', '.join(partners)} is pending; next: {again}", soft_wrap=True
        )
    if late:
        raise typer.Exit(Exit.PARTIAL)


def _deployed(code: str) -> tuple[Table, list[str]]:
    """Deploy a country; return what it shows, and the partners whose links are pending."""
    started = time.monotonic()
    stack: StackState | None = None
    try:
        with ends_on_failure():
            deploy(Runner.of(code.lower()), REPORTER)
    finally:
        stack = leave_report(code)
    if stack is None:
        return Table(), []
    return summary(code, time.monotonic() - started, stack.outputs), links.pending(stack)


def summary(country: str, seconds: float, found: Mapping[str, Any]) -> Table:
    """Return the URLs, the logins, the health of the containers and the proof."""
    engine = engines.connect()
    healthy = sum(engine.observe(name).healthy for name in found["containers"])
    proof = found["verification"]
    table = Table(
        title=f"{country} · deployed and verified in {seconds:.0f} s", title_justify="left", show_header=False
    )
    for name, url in found["urls"].items():
        table.add_row(name, url)
    table.add_row("containers", f"{healthy} of {len(found['containers'])} healthy")
    table.add_row("verified", f"{proof['proven']}, at {proof['at']}")
    if found["test_users"]:
        table.add_row("log in as", ", ".join(found["test_users"]))
        table.add_row("password", f"pulumi stack output test_user_password --show-secrets -s {country.lower()}")
    return table
