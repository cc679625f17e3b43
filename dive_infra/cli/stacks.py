"""The countries of this coalition, as their stack files declare them."""

import yaml

from dive_infra.cli.exits import Exit
from dive_infra.cli.steps import fail
from dive_infra.countries import COUNTRIES, HUB_CODE, UnknownCountry, parse
from dive_infra.machine.state import ROOT
from dive_infra.settings import Settings, SettingsError, load


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
    found = [code for path in ROOT.glob("Pulumi.*.yaml") if (code := path.name.split(".")[1].upper()) in COUNTRIES]
    return sorted(found, key=lambda code: (code != HUB_CODE, code))


def _settings(code: str) -> Settings:
    path = ROOT / f"Pulumi.{code.lower()}.yaml"
    if not path.exists():
        present = ", ".join(sorted(p.name for p in ROOT.glob("Pulumi.*.yaml")))
        fail(f"{path.name} is not there, so {code} is not a country of this coalition; found {present}", Exit.UNKNOWN)
    try:
        configuration = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
    except yaml.YAMLError as error:
        fail(f"{path.name} is not YAML: {error}", Exit.UNKNOWN)
    # Encrypted here; the program reads and checks them.
    return load(code.lower(), {key: value for key, value in configuration.items() if key != "dive:secrets"})
