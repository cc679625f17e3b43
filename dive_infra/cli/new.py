"""`./dive new`: writes the stack file of a country and its approval at the hub; deploys nothing."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from dive_infra.automation import stack_config
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.automation.state_providers import ForeignProviders, refuse_foreign
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import console, fail, fail_with
from dive_infra.cli.stacks import chosen
from dive_infra.config.countries import COUNTRIES, HUB_CODE, Country, UnknownCountry, parse
from dive_infra.config.paths import stack_file
from dive_infra.config.settings import Settings, SettingsError
from dive_infra.results.remedy import Remedy


def _others() -> list[str]:
    return [code for code in COUNTRIES if code not in all_codes()]


def new(
    country: Annotated[str, typer.Argument(help="A code such as GBR.", autocompletion=_others)],
    preview: Annotated[bool, typer.Option(help="Show what the hub's next update would do.")] = True,
) -> None:
    """Add a country: its stack file and its approval.

    Writes the stack file, adds the code to `dive:spokes` of the hub's stack file, and shows what the hub's next
    update would do. Deploys nothing; a country that exists already is refused.
    """
    place = _spoke(country)
    [hub] = chosen([HUB_CODE])
    for path, text in texts(hub, place).items():
        _write(path, text)
        done = "written" if path == _file(place) else f"approves {place.code}"
        console.print(f"[green]✓[/] {path.name} {done}")
    if preview:
        _preview(hub)
    console.print(
        f"next: ./dive up {HUB_CODE} {place.code}  (the hub grants {place.name} its access, then it is deployed)"
    )


def texts(hub: Settings, country: Country) -> dict[Path, str]:
    """Return the text of each stack file to write, by path, in order; end the command with 2 if there is none.

    A file that an interrupted run has written is left out.
    """
    own, of_hub = _file(country), stack_file(HUB_CODE.lower())
    found: dict[Path, str] = {}
    try:
        if not own.exists():
            found[own] = stack_config.spoke_file_text(hub, country)
    except SettingsError as error:
        fail(str(error), Exit.UNKNOWN)
    text = of_hub.read_text()
    if not stack_config.approves(text, country.code):
        found[of_hub] = stack_config.with_spoke(text, country.code)
    if not found:
        fail(
            f"{country.code} is a country of this coalition already: {own.name} exists, {of_hub.name} approves it",
            Exit.UNKNOWN,
            Remedy.run(f"./dive up {HUB_CODE} {country.code}"),
        )
    return found


def _spoke(code: str) -> Country:
    try:
        country = parse(code.upper())
    except UnknownCountry as error:
        fail(str(error), Exit.UNKNOWN)
    if country.is_hub:
        fail(f"{HUB_CODE} is the hub and cannot be its own spoke; expected another country's code", Exit.UNKNOWN)
    return country


def _file(country: Country) -> Path:
    return stack_file(country.lower)


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _preview(hub: Settings) -> None:
    prepare()
    stack = hub.country.lower()
    runner = Runner.of(stack)
    try:
        refuse_foreign(stack, export_state(stack))
    except NotDeployed:
        console.print(f"the hub ({hub.country}) is not deployed, so its preview is left out")
        return
    except ForeignProviders as error:
        fail_with(error, "the stack files are written", Exit.FINDINGS)
    except PulumiFailed as error:
        again = Remedy.decide(f"fix it, then run pulumi preview -s {stack}")
        fail(f"{error.cause}; the stack files are written", Exit.UNKNOWN, again)
    console.rule(f"pulumi preview -s {stack}")
    if subprocess.run(runner.command("preview"), cwd=runner.folder, env=runner.environment).returncode:
        again = Remedy.run(f"pulumi preview -s {stack}")
        fail("the preview failed, see above; the stack files are written", remedy=again)
