"""`./dive rotate-keys`: replace the keys of a country's Keycloak, or in two steps those that it is enrolled with."""

import time
from dataclasses import replace
from typing import Annotated

import typer

from dive_infra.automation import stack_state
from dive_infra.automation.country_lock import hold_country
from dive_infra.automation.deploy import update
from dive_infra.automation.failures import CountryLocked, UpdateFailed, UpdateInterrupted
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.stack_state import StackState
from dive_infra.checks.spec import ConfigurationSpec
from dive_infra.cli import enrolled_keys
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import REPORTER, console, fail, refuse, warn_without_lock
from dive_infra.cli.stacks import chosen, codes, state_to_change
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import ACCEPT_KEYS
from dive_infra.identity import key_providers
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import UP, Remedy


def rotate_keys(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    begin: Annotated[
        bool, typer.Option("--begin", help="Instead: create new keys of the country beside those of its request.")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Then: drop the keys before.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="With --finish: go on without a partner.", autocompletion=lambda: [*COUNTRIES]),
    ] = None,
) -> None:
    """Replace the keys of a country's Keycloak, or of its request.

    Keycloak generates its keys, for the country's realm and for realm master; the update after it records them. Tokens
    and sessions of the old keys end: people log in again. The keys of the request (CA, deployer, sealing and policy
    key; at the hub the coalition key, too) are replaced in two steps, between which every partner updates in its own
    time, and no link breaks.
    """
    [settings] = chosen([country])
    code, name = settings.country, settings.country.lower()
    if (begin and finish) or (without and not finish):
        fail("expected --begin, or --finish with the partners to go on --without", Exit.UNKNOWN)
    gone = codes(without or [])
    prepare()
    if begin:
        enrolled_keys.begin(code)
        return
    if finish:
        enrolled_keys.finish(code, gone)
        return
    found, spec = _deployed(code)
    started = time.monotonic()
    realms = _rotate(code, found, spec)
    _update(code, name, realms)
    console.print(
        f"{code}: the keys of {len(realms)} realms replaced and recorded in {time.monotonic() - started:.0f} s"
    )


def _deployed(code: str) -> tuple[StackState, ConfigurationSpec]:
    """Return the stack and how to reach its Keycloak; ends the command if the country is not deployed."""
    found = stack_state.read_stack(code.lower(), state_to_change(code, _command(code)))
    spec: ConfigurationSpec | None = found.spec(Phase.CONFIGURATION)
    if spec is None:
        fail(f"{code} was not completely deployed by this version; nothing was changed", remedy=Remedy.deploy(code))
    return found, spec


def _rotate(code: str, found: StackState, spec: ConfigurationSpec) -> list[str]:
    """Replace the keys under the country lock; return the realms."""
    realms: list[str] = []

    def report(realm: str, providers: list[str]) -> None:
        realms.append(realm)
        console.print(f"[green]✓[/] realm {realm}: new keys of {', '.join(providers)}", soft_wrap=True)

    access = KeycloakAccess.of(spec.names, spec.ca, spec.keycloak)
    try:
        with hold_country(found.store, code, "ROTATE-KEYS") as lock, KeycloakAdmin(access) as admin:
            if lock.unavailable:
                warn_without_lock(lock)
            key_providers.rotate(admin, spec.names, report)
    except CountryLocked as locked:
        refuse(locked, "nothing was changed", _command(code))
    except KeycloakError as error:
        done = f"only the keys of realm {', '.join(realms)} were replaced" if realms else "not all keys were replaced"
        fail(
            f"{error.cause}; {done}",
            Exit.PARTIAL if realms else Exit.FINDINGS,
            Remedy.decide(f"see what is wrong: ./dive status {code}; then: {_command(code)}"),
        )
    return realms


def _update(code: str, name: str, realms: list[str]) -> None:
    """Update without a refresh; only this run accepts keys that are not recorded."""
    accepted = {ACCEPT_KEYS: ",".join(realms)}
    try:
        update(replace(Runner.of(name), variables=accepted), REPORTER)
    except (CountryLocked, UpdateFailed) as error:
        interrupted = isinstance(error, UpdateInterrupted)
        cause = "was interrupted" if interrupted else "failed for the cause above"
        again = f"{ACCEPT_KEYS}={accepted[ACCEPT_KEYS]} {UP}"
        fail(
            f"the keys are replaced, but `pulumi up -s {name}` {cause}, so they may not be recorded",
            Exit.INTERRUPTED if interrupted else Exit.PARTIAL,
            Remedy.decide(again if interrupted else f"fix it, then: {again}", country=code),
        )


def _command(code: str) -> str:
    return f"./dive rotate-keys {code}"
