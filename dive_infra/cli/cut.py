"""`./dive cut`: end a partner's access to a country at once, prove it, and declare it; `--undo` takes it back."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import httpx
import typer
from rich.markup import escape

from dive_infra.automation import stack_config
from dive_infra.automation.country_lock import hold_country
from dive_infra.automation.cut_off import cut_off
from dive_infra.automation.deploy import deploy
from dive_infra.automation.failures import CountryLocked
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.stack_config import all_codes
from dive_infra.automation.stack_state import read_stack
from dive_infra.checks import partners
from dive_infra.checks.spec import ConfigurationSpec, PartnerSpec, VerificationSpec
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail, refuse, warn_without_lock
from dive_infra.cli.stacks import chosen, codes, state_to_change
from dive_infra.config.countries import COUNTRIES, parse
from dive_infra.config.paths import stack_file
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.login import PortalSession, login
from dive_infra.membership import files
from dive_infra.membership.status import ProbeLogin
from dive_infra.orchestration.states import Phase
from dive_infra.process.deadline import within
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import first_line
from dive_infra.seeds.documents import identifier

_OPEN = ExitStack()  # sessions, until the command ends
_PATIENCE, _ANSWER = 5.0, 3.0  # seconds for a login as a whole, and for each answer in it
_READABLE = 1  # the number of a document that every partner's people may read


def cut(
    partner: Annotated[str, typer.Argument(help="The partner, such as FRA.", autocompletion=lambda: list(COUNTRIES))],
    at: Annotated[
        str, typer.Option("--at", help="The country that cuts it off; by default the other one with a stack file.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Restore the partner's access.")] = False,
) -> None:
    """End a partner's access to a country at once, and prove it.

    Logins, sessions, tokens, keys of documents and, at the hub, policies. The partner is entered in `dive:cut` of the
    stack file first, so that no update restores its access, and an update removes the rest at the end.
    """
    [code] = codes([partner])
    [settings] = chosen([_country(code, at)])
    own, path = settings.country, stack_file(settings.place.lower)
    if code not in settings.declared:
        known = ", ".join(settings.declared) or "no partner"
        fail(f"{code} is no partner of {own}; expected one of {known}", Exit.UNKNOWN)
    prepare()
    if undo:
        if code not in settings.cut:
            fail(f"{code} is not cut off at {own}; dive:cut has {', '.join(settings.cut) or 'no one'}", Exit.UNKNOWN)
        files.write(path, stack_config.removed(path.read_text(), "cut", code).encode())
        _update(own)
        console.print(f"{code} has access to {own} again; its link is proven as far as {code} has declared its side")
        return
    if code not in settings.cut:
        files.write(path, stack_config.added(path.read_text(), "cut", code).encode())
    with _OPEN:
        _end(own, code)
    _update(own)


def _country(partner: str, at: str) -> str:
    """Return the code of the country that cuts the partner off."""
    others = [at] if at else [code for code in all_codes() if code != partner]
    if len(others) != 1:
        fail(
            f"stack files are here of {', '.join(others) or 'no other country'}; which one cuts {partner} off?",
            Exit.UNKNOWN,
            Remedy.run(f"./dive cut {partner} --at {others[0] if others else '<country>'}"),
        )
    return others[0]


def _end(own: str, code: str) -> None:
    """End the access of the country `code` to the deployed one, and print what is proven."""
    again = f"./dive cut {code} --at {own}"
    begin = time.monotonic()
    state = state_to_change(own, again)
    stack = read_stack(own.lower(), state)
    declared: ConfigurationSpec | None = stack.spec(Phase.CONFIGURATION)
    if declared is None:
        console.print(f"{own} has no completed link to {code}")
        return
    verification: VerificationSpec | None = stack.spec(Phase.VERIFICATION)
    witness = _witness(verification, code)
    try:
        with hold_country(stack.store, own, "CUT") as lock:
            if lock.unavailable:
                warn_without_lock(lock)
            [settings] = chosen([own])  # which another command may have changed before the lock
            failed = cut_off(state, declared, [settings.names.of(parse(one)) for one in settings.cut])
    except CountryLocked as locked:
        refuse(locked, f"only dive:cut of {own} was changed", again)
    seconds = time.monotonic() - begin
    if failed:
        causes = "; ".join(error.cause for error in failed)
        fail(f"not all of the access of {code} has ended: {causes}", Exit.PARTIAL, Remedy.run(again))
    ended = f"the access of {code} to {own} has ended, {seconds:.1f} s after the command began"
    console.print(f"[green]✓[/] {ended}", soft_wrap=True)
    if verification is None or isinstance(witness, str):
        console.print(f"[yellow]‼[/] not proven by a login, because {escape(str(witness))}", soft_wrap=True)
        return
    _prove(verification, witness)
    refused = f"{witness.person.username} is refused, with a session from before and with a new login"
    console.print(f"[green]✓[/] proven: {refused}", soft_wrap=True)


@dataclass(frozen=True)
class _Witness:
    """The partner's probe person, who was logged in before: the session is kept open by `login`."""

    partner: PartnerSpec
    person: ProbeLogin
    session: PortalSession


def _witness(spec: VerificationSpec | None, code: str) -> _Witness | str:
    """Log the partner's probe person in, who must be refused afterwards; or return why that is not possible.

    The partner has an interest in delaying the command, and answers what it likes: nothing that it does stops it.
    """
    found = next((p for p in spec.partners if p.names.country.code == code), None) if spec else None
    if spec is None or found is None:
        return "its link was never proven"
    try:
        return within(_PATIENCE, lambda: _logged_in(spec, found))
    except DiveError as error:
        return error.cause
    except Exception as error:  # noqa: BLE001 (of the partner's answers)
        return f"{code} cannot be asked: {type(error).__name__} {first_line(error)}"


def _logged_in(spec: VerificationSpec, partner: PartnerSpec) -> _Witness | str:
    own = spec.own.names
    person = partners.issued(partner, own, spec.sealing_key, spec.ca)
    session = _OPEN.enter_context(login(own, partner.names, *person, spec.ca, _ANSWER))
    if not (answer := session.document(identifier(own, _READABLE))).is_success:
        return f"{person.username} could not open a document before: {answer.status_code}"
    return _Witness(partner, person, session)


def _prove(spec: VerificationSpec, witness: _Witness) -> None:
    """Show that the partner's person is refused; ends the command otherwise."""
    own, code, name = spec.own.names, witness.partner.names.country.code, witness.person.username
    remedy = Remedy.run(f"./dive restart {own.country.code}")
    try:
        answer = witness.session.document(identifier(own, _READABLE))
    except httpx.HTTPError as error:
        fail(f"the portal of {own.country.code} does not answer: {error}; nothing is proven", Exit.UNKNOWN, remedy)
    if answer.status_code != httpx.codes.FORBIDDEN or answer.json().get("check") != "federation":
        fail(f"a session of {code} from before was answered {answer.status_code}; expected 403", remedy=remedy)
    try:
        within(
            _PATIENCE, lambda: _OPEN.enter_context(login(own, witness.partner.names, *witness.person, spec.ca, _ANSWER))
        )
    except LoginFailed as refused:
        if refused.away:
            fail(f"{refused.cause}; a new login is not proven to be refused", Exit.UNKNOWN, remedy)
        return
    except TimeoutError as error:
        fail(f"a new login of {name} is not proven to be refused: {error}", Exit.UNKNOWN, remedy)
    fail(f"{name} of {code} can still log in at {own.country.code}", remedy=remedy)


def _update(code: str) -> None:
    with ends_on_failure():
        deploy(Runner.of(code.lower()), REPORTER)
