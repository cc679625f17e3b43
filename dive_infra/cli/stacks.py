"""The countries of this coalition, as their stack files declare them."""

import yaml

from dive_infra.cli.exits import Exit
from dive_infra.cli.steps import fail
from dive_infra.countries import HUB_CODE, UnknownCountry, parse
from dive_infra.machine.state import ROOT
from dive_infra.settings import Settings, SettingsError, load


def chosen(codes: list[str]) -> list[Settings]:
    """The settings of these countries, the hub first; an unknown country or wrong setting ends it as wrong use."""
    try:
        countries = [parse(code.upper()).code for code in dict.fromkeys(codes)]
        return [_settings(code) for code in sorted(countries, key=lambda code: code != HUB_CODE)]
    except (UnknownCountry, SettingsError) as error:
        fail(str(error), Exit.UNKNOWN)


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
