"""`./dive restart`: restart services of a country, or all, and wait until they are healthy."""

import time
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.markup import escape

from dive_infra.automation import service_restart
from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.state_export import NotDeployed
from dive_infra.catalog.services import services as catalog
from dive_infra.catalog.spec import ServiceSpec
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail, refuse, warn_without_lock
from dive_infra.cli.stacks import chosen
from dive_infra.config.naming import SERVICES
from dive_infra.engines.restart import Restarted
from dive_infra.results.remedy import Remedy


def restart(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    services: Annotated[
        list[str] | None,
        typer.Argument(help="Services such as backend; by default all.", autocompletion=lambda: list(SERVICES)),
    ] = None,
) -> None:
    """Restart services in dependency order.

    No data is lost, and no container is replaced.
    """
    [settings] = chosen([country])
    specs = catalog(settings.names, settings.hub_names, settings.linked, settings.images)
    wanted = _known(services or [s.name for s in specs], specs, settings.country)
    prepare()
    started = time.monotonic()
    restarted: list[Restarted] = []

    def report(one: Restarted) -> None:
        restarted.append(one)
        _show(one)

    try:
        done = service_restart.restart(settings, wanted, report, warn_without_lock)
    except (NotDeployed, PulumiFailed) as error:
        fail(str(error), Exit.FINDINGS if isinstance(error, NotDeployed) else Exit.UNKNOWN)
    except CountryLocked as locked:
        outcome = "the rest was not restarted" if restarted else "nothing was restarted"
        again = " ".join(["./dive restart", settings.country, *(services or [])])
        refuse(locked, outcome, again)
    _end(settings.country, done, time.monotonic() - started)


def _known(wanted: list[str], specs: list[ServiceSpec], country: str) -> list[str]:
    names = [s.name for s in specs]
    for service in wanted:
        if service not in names:
            near = get_close_matches(service, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            fail(f"{service!r} is not a service of {country}{hint}; expected one of {', '.join(names)}", Exit.UNKNOWN)
    return wanted


def _show(one: Restarted) -> None:
    seconds = f"[dim]({one.seconds:.1f} s)[/]"
    if one.problem:
        console.print(f"[red]✗[/] {one.service}: {escape(one.problem)} {seconds}", soft_wrap=True)
    else:
        console.print(f"[green]✓[/] {one.service}{'' if one.restarted else ' is healthy with it'} {seconds}")


def _end(country: str, done: list[Restarted], seconds: float) -> None:
    count = len([one for one in done if one.restarted and not one.problem])
    console.print(f"{country}: {count} {'service' if count == 1 else 'services'} restarted in {seconds:.1f} s")
    if problems := [one.service for one in done if one.problem]:
        fail(
            f"{', '.join(problems)} of {country}: not healthy, see above",
            Exit.PARTIAL if count else Exit.FINDINGS,
            Remedy.deploy(country),
        )
