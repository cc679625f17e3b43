"""`./dive up`: deploy countries on a bare machine and verify them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table

from dive_infra import engines
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.cli import awaited, fleet, images, outcomes
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit, worst
from dive_infra.cli.history import leave_report
from dive_infra.cli.new import enrol_all
from dive_infra.cli.outcomes import Outcome
from dive_infra.cli.progress import REPORTER, console, exit_of, fail, show_failure
from dive_infra.cli.stacks import chosen
from dive_infra.config.countries import HUB_CODE
from dive_infra.orchestration.access import RecordError
from dive_infra.results.errors import DiveError


def up(
    countries: Annotated[
        list[str] | None, typer.Argument(help="Codes such as FRA; by default the hub, then France.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The hub, then all its spokes in parallel.")] = False,
    parallel: Annotated[int, typer.Option(min=1, help="With --all: how many spokes at a time.")] = 2,
) -> None:
    """Deploy countries, and verify them by logins.

    The hub comes first. A phase that is complete and valid is skipped. A country that fails does not stop the others.
    At the end it shows where to log in, and what each country needs next.
    """
    if everyone:
        if countries:
            fail(f"found --all and {', '.join(countries)}, expected one of them", Exit.UNKNOWN)
        fleet.up(parallel)
    wanted = chosen(countries or images.DEFAULT)
    prepare()
    images.ensure(wanted)
    enrol_all(wanted)
    found = _deploy([settings.country for settings in wanted])
    tables = [done.shown for done in found.values() if done.shown]
    for shown in tables:
        console.print(shown)
    if tables:
        console.print('a shell in which plain pulumi works: eval "$(./dive env)"')
    if len(found) > 1 or any(done.outcome.code == Exit.PARTIAL for done in found.values()):
        outcomes.show([done.outcome for done in found.values()])
    if code := worst(Exit(done.outcome.code) for done in found.values() if done.outcome.code is not None):
        raise typer.Exit(code)


@dataclass(frozen=True)
class _Done:
    """How a country's deployment ended, where to log in, and the partners whose links are pending."""

    outcome: Outcome
    shown: Table | None = None
    pending: Sequence[str] = ()


def _deploy(codes: Sequence[str]) -> dict[str, _Done]:
    """Deploy these countries, the hub first, as far as they do not need one that failed; an interruption ends it."""
    found: dict[str, _Done] = {}
    for code in codes:
        if _interrupted(found):
            found[code] = _Done(outcomes.not_started(code, "interrupted before"))
        elif _failed(found.get(HUB_CODE)) and not outcomes.stands_alone(code):
            found[code] = _Done(outcomes.needs_hub(code))
        else:
            found[code] = _deployed(code)
    for code, done in list(found.items()):
        if not _interrupted(found) and any(not _failed(found[p]) for p in done.pending if p in found):
            found[code] = _deployed(code)  # the partner has declared its side since
    return found


def _interrupted(found: Mapping[str, _Done]) -> bool:
    return any(done.outcome.code == Exit.INTERRUPTED for done in found.values())


def _failed(done: _Done | None) -> bool:
    return done is not None and done.outcome.code not in (Exit.OK, Exit.PARTIAL)


def _deployed(code: str) -> _Done:
    """Deploy a country."""
    started = time.monotonic()
    failed: DiveError | None = None
    try:
        deploy(Runner.of(code.lower()), REPORTER)
    except DiveError as error:
        failed = error
        show_failure(str(error))
    finally:
        stack = leave_report(code)
    if failed:
        ended = exit_of(failed)
        what = {Exit.LOCKED: "another run is deploying it", Exit.INTERRUPTED: "interrupted"}.get(ended, "failed")
        return _Done(Outcome(code, ended, what, failed.remedy.command(code) or f"./dive up {code}"))
    if stack is None:
        return _Done(Outcome(code, Exit.OK, "deployed"))
    shown = summary(code, time.monotonic() - started, stack.outputs)
    try:
        pending = awaited.links(stack)
    except RecordError as error:
        show_failure(str(error))
        return _Done(
            Outcome(code, Exit.UNKNOWN, "deployed; its record does not answer", f"./dive status {code}"), shown
        )
    if code != HUB_CODE and (missing := awaited.policies(stack)):
        return _Done(
            Outcome(code, Exit.PARTIAL, f"deployed; {missing.cause}", missing.remedy.command(code)), shown, pending
        )
    if not pending:
        return _Done(Outcome(code, Exit.OK, "deployed and verified"), shown)
    partners = ", ".join(pending)
    again = f"once {partners} is deployed and answers: ./dive up {code}"
    exits = Exit.OK if code == HUB_CODE else Exit.PARTIAL  # its spokes come and go
    return _Done(Outcome(code, exits, f"deployed; its link to {partners} is pending", again), shown, pending)


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
