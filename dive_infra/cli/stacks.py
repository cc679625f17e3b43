"""The countries that a verb was given, with a wrong one ended as wrong use."""

from typing import Any

from dive_infra.automation import stack_config
from dive_infra.automation.country_lock import refuse_while_updating
from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.state_export import NotDeployed, export_state
from dive_infra.automation.state_providers import ForeignProviders, refuse_foreign
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import fail, fail_with, refuse
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


def state_to_change(code: str, command: str) -> dict[str, Any]:
    """Return the state of a country that `command` will change; ends the command if that cannot be done now."""
    try:
        refuse_while_updating([code])
        state = export_state(code.lower())
        refuse_foreign(code.lower(), state)
    except CountryLocked as locked:
        refuse(locked, "nothing was changed", command)
    except NotDeployed as error:
        fail(str(error))
    except ForeignProviders as error:
        fail_with(error, "nothing was changed", Exit.FINDINGS)
    except PulumiFailed as error:
        fail_with(error, "nothing was changed", Exit.UNKNOWN)
    return state
