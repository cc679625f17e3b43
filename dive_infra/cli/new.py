"""`./dive new`: enrol a country: its stack file, its keys, and its request to join. Deploys nothing."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dive_infra.automation import enrolment, stack_config
from dive_infra.automation.enrolment import Enrolled
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail
from dive_infra.config.countries import COUNTRIES, HUB_CODE, Country, UnknownCountry, parse
from dive_infra.config.paths import stack_file
from dive_infra.config.settings import Settings, SettingsError
from dive_infra.membership import files
from dive_infra.membership.refusals import MembershipError
from dive_infra.membership.request import fingerprint
from dive_infra.results.remedy import Remedy


def new(
    country: Annotated[str, typer.Argument(help="A code such as GBR.", autocompletion=lambda: list(COUNTRIES))],
    received: Annotated[
        bool, typer.Option("--show", help="Show the fingerprint of the request that is here; create nothing.")
    ] = False,
) -> None:
    """Enrol a country: its stack file, its keys and its request.

    Creates the keys of the country in its own encrypted stack file, and `members/gbr.json`: a signed request with
    public parts only. Two people compare its fingerprint, then the hub approves it. Where the hub's stack file lies
    beside it, the code is added to `dive:spokes`. Run it again after a change of ports, domain or namespace: the keys
    stay, and the request is renewed.
    """
    try:
        place = parse(country.upper())
    except UnknownCountry as error:
        fail(str(error), Exit.UNKNOWN)
    if received:
        _show_request(place)
        return
    try:
        enrolment.refuse_received(place.code)
    except MembershipError as error:
        fail(str(error), Exit.UNKNOWN)
    for path in _stack_files(place):
        console.print(f"[green]✓[/] {path} written", highlight=False)
    prepare()
    try:
        found = enrolment.enrol(Runner.of(place.lower))
    except (PulumiFailed, SettingsError, MembershipError) as error:
        fail(str(error), Exit.UNKNOWN)
    show(found)
    if place.is_hub:
        return
    asked = f"members/{files.request_file(place.code).name}"
    if stack_file(HUB_CODE.lower()).exists():
        console.print(f"next: ./dive up {HUB_CODE} {place.code}  (the hub approves it, then it is deployed)")
    else:
        console.print(
            f"next: send {asked} to the hub, compare the fingerprint with its operator, and set dive:coalitionKey; "
            f"then: ./dive up {place.code}",
            soft_wrap=True,
        )


def enrol_all(wanted: Sequence[Settings]) -> None:
    """Enrol these countries, and with the hub its spokes, as far as their stack files are here and they lack something.

    One person operates the countries whose stack files are in one folder.
    """
    codes = [settings.country for settings in wanted]
    codes += [spoke for settings in wanted for spoke in settings.spokes if spoke not in codes]
    for code in codes:
        runner = Runner.of(code.lower())
        if not stack_file(code.lower()).exists() or not enrolment.missing(runner):
            continue
        try:
            show(enrolment.enrol(runner))
        except (PulumiFailed, SettingsError, MembershipError) as error:
            fail(str(error), Exit.UNKNOWN)


def _show_request(country: Country) -> None:
    """Print the fingerprint of the request that is here; a wrong or missing one ends the command."""
    try:
        console.print(
            f"fingerprint of {country.code}: {fingerprint(files.read_request(country.code))}", highlight=False
        )
    except MembershipError as error:
        fail(str(error), Exit.UNKNOWN)


def show(found: Enrolled) -> None:
    """Print what was created, and the fingerprint that people compare."""
    code = found.request.country
    made = f"created {', '.join(found.made)}" if found.made else "is as before"
    console.print(f"[green]✓[/] {code} {made}", highlight=False, soft_wrap=True)
    console.print(f"  fingerprint of {code}: {fingerprint(found.request)}", highlight=False)


def _stack_files(country: Country) -> list[str]:
    """Write the stack file of a country, and its code into the hub's if that is here; return the names."""
    own, of_hub = stack_file(country.lower), stack_file(HUB_CODE.lower())
    written: list[str] = []
    try:
        if not own.exists():
            hub = stack_config.read_settings(HUB_CODE) if of_hub.exists() else None
            files.write(own, stack_config.file_text(hub, country).encode())
            written.append(own.name)
    except SettingsError as error:
        fail(str(error), Exit.UNKNOWN, Remedy.decide(f"fix {of_hub.name}"))
    if not country.is_hub and of_hub.exists() and not stack_config.approves(text := of_hub.read_text(), country.code):
        files.write(of_hub, stack_config.added(text, "spokes", country.code).encode())
        written.append(of_hub.name)
    return written
