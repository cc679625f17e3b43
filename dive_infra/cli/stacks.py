"""The countries that a verb was given, with a wrong one ended as wrong use."""

from dive_infra.automation import stack_config
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import fail
from dive_infra.config.countries import UnknownCountry
from dive_infra.config.settings import Settings, SettingsError


def chosen(wanted: list[str]) -> list[Settings]:
    """Return the settings of these countries, the hub first; a wrong code or setting ends the command."""
    countries = codes(wanted)
    try:
        return [stack_config.read_settings(code) for code in countries]
    except SettingsError as error:
        fail(str(error), Exit.UNKNOWN)


def codes(wanted: list[str]) -> list[str]:
    """Return the codes of these countries, each once, the hub first; a wrong code ends the command."""
    try:
        return stack_config.country_codes(wanted)
    except UnknownCountry as error:
        fail(str(error), Exit.UNKNOWN)
