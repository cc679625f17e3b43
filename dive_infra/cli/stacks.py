"""The countries of this coalition, as their stack files declare them."""

import yaml

from dive_infra.automation import workspace
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import fail
from dive_infra.config.countries import COUNTRIES, HUB_CODE, UnknownCountry, parse
from dive_infra.config.settings import Settings, SettingsError, load


def chosen(wanted: list[str]) -> list[Settings]:
    """The settings of these countries, the hub first; an unknown country or wrong setting ends it as wrong use."""
    countries = codes(wanted)
    try:
        return [_settings(code) for code in countries]
    except SettingsError as error:
        fail(str(error), Exit.UNKNOWN)


def codes(wanted: list[str]) -> list[str]:
    """The codes of these countries, each once, the hub first; an unknown one ends the command as wrong use."""
    try:
        countries = dict.fromkeys(parse(code.upper()).code for code in wanted)
    except UnknownCountry as error:
        fail(str(error), Exit.UNKNOWN)
    return sorted(countries, key=lambda code: code != HUB_CODE)


def every() -> list[str]:
    """The codes of all countries that have a stack file, the hub first."""
    there = [path.name.split(".")[1].upper() for path in workspace.STACKS.glob("Pulumi.*.yaml")]
    found = [code for code in there if code in COUNTRIES]
    return sorted(found, key=lambda code: (code != HUB_CODE, code))


def declared(code: str) -> Settings:
    """The settings of a country by its stack file; raises `SettingsError`."""
    try:
        return _read(code)
    except FileNotFoundError:
        raise SettingsError(f"Pulumi.{code.lower()}.yaml is not there; ./dive new {code} writes one") from None
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Pulumi.{code.lower()}.yaml can't be read: {error}") from None


def _settings(code: str) -> Settings:
    path = workspace.stack_file(code.lower())
    if not path.exists():
        present = ", ".join(sorted(p.name for p in workspace.STACKS.glob("Pulumi.*.yaml")))
        fail(f"{path.name} is not there, so {code} is not a country of this coalition; found {present}", Exit.UNKNOWN)
    try:
        return _read(code)
    except yaml.YAMLError as error:
        fail(f"{path.name} is not YAML: {error}", Exit.UNKNOWN)


def _read(code: str) -> Settings:
    configuration = (yaml.safe_load(workspace.stack_file(code.lower()).read_text()) or {}).get("config") or {}
    # Encrypted here; the program reads and checks them.
    return load(code.lower(), {key: value for key, value in configuration.items() if key != "dive:secrets"})
