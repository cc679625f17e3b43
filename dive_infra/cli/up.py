"""`./dive up`: deploy countries on a bare machine and verify them."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from dive_infra import engines
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.cli import fleet, images
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.history import leave_report
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail
from dive_infra.cli.stacks import chosen


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
    shown: list[Table] = []
    for settings in wanted:
        started = time.monotonic()
        try:
            with ends_on_failure():
                deploy(Runner.of(settings.country.lower()), REPORTER)
        finally:
            stack = leave_report(settings.country)
        if stack:
            shown.append(summary(settings.country, time.monotonic() - started, stack.outputs))
    for table in shown:
        console.print(table)
    console.print('a shell in which plain pulumi works: eval "$(./dive env)"')


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
    table.add_row("log in as", ", ".join(found["test_users"]))
    table.add_row("password", f"pulumi stack output test_user_password --show-secrets -s {country.lower()}")
    return table
