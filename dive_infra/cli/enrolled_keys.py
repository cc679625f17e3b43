"""`./dive rotate-keys --begin` and `--finish`: replace the keys that a country is enrolled with, in two steps."""

from collections.abc import Sequence

from dive_infra.automation import key_rotation
from dive_infra.automation.deploy import deploy
from dive_infra.automation.enrolment import read_settings
from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.automation.stack_state import read_stack
from dive_infra.checks.key_rotation import waiting
from dive_infra.checks.spec import VerificationSpec
from dive_infra.cli.exits import Exit
from dive_infra.cli.new import show
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail
from dive_infra.cli.readiness import require_ready
from dive_infra.cli.stacks import state_to_change
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.settings import Settings, SettingsError
from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.enrolment import private_keys
from dive_infra.membership.key_rotation import counting, newest, rotating
from dive_infra.membership.place import place_of
from dive_infra.membership.refusals import MembershipError
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import now


def begin(code: str) -> None:
    """Give each key of the country a successor, and update the country, which then signs with both."""
    state_to_change(code, _command(code, "begin"))
    runner = Runner.of(code.lower())
    try:
        show(key_rotation.add_successors(runner))
        new = newest(private_keys(read_settings(runner)))
    except (PulumiFailed, SettingsError, MembershipError) as error:
        fail(str(error), Exit.UNKNOWN)
    _deploy(runner)
    if code == HUB_CODE:
        pin = f"and its operator sets dive:coalitionKey to {keys.public_text(new['coalition-key'])}"
        taken_up = f"each spoke updates with the new document, {pin}, compared with you"
    else:
        taken_up = f"send members/{code.lower()}.json to the hub, which runs ./dive up {HUB_CODE}; "
        taken_up += f"then {code} and each partner of it update with the new document"
    console.print(f"[green]✓[/] {taken_up}; then: {_command(code, 'finish')}", soft_wrap=True)


def finish(code: str, gone: Sequence[str]) -> None:
    """Drop the keys before, once the country and its partners, without those that are `gone`, rely on the new ones."""
    command = _command(code, "finish")
    stack = read_stack(code.lower(), state_to_change(code, command))
    spec: VerificationSpec | None = stack.spec(Phase.VERIFICATION)
    if spec is None:
        fail(f"{code} was not completely deployed by this version; nothing was changed", remedy=Remedy.deploy(code))
    runner = Runner.of(code.lower())
    try:
        settings = read_settings(runner)
        if rotating(private_keys(settings)):
            _check(settings, spec, gone)
            key_rotation.drop_predecessors(runner)
        elif not rotating({"sealing-key": spec.sealing_key}):
            fail(f"{code} has one key of each kind", Exit.UNKNOWN, Remedy.run(_command(code, "begin")))
        # Otherwise they were dropped before, and the update has not ended.
    except (PulumiFailed, SettingsError, MembershipError) as error:
        fail(str(error), Exit.UNKNOWN)
    _deploy(runner)
    console.print(f"[green]✓[/] the keys that {code} had before are gone", soft_wrap=True)


def _check(settings: Settings, spec: VerificationSpec, gone: Sequence[str]) -> None:
    """End the command if the country or a partner still relies on a key before."""
    code, private = settings.country, private_keys(settings)
    command, new = _command(code, "finish"), newest(private)
    place = place_of(settings, now())
    if counting(private, place.member or place.requests.get(code)) != new:
        fail(
            f"the coalition document that {code} has does not have its new keys; nothing was changed",
            remedy=Remedy.decide(
                f"at the hub, with members/{code.lower()}.json: ./dive up {HUB_CODE}; "
                f"here, with the new document: ./dive up {code}; then: {command}"
            ),
        )
    pinned = len(pki.private_keys(private.get("coalition-key", ""))) > 1
    coalition_key = keys.public_text(new["coalition-key"]) if pinned else ""
    found = waiting(spec, new["sealing-key"], coalition_key)
    require_ready(found, _verb(code), "finish", "partners", gone)


def _deploy(runner: Runner) -> None:
    with ends_on_failure():
        deploy(runner, REPORTER)


def _verb(code: str) -> str:
    return f"./dive rotate-keys {code}"


def _command(code: str, step: str) -> str:
    return f"{_verb(code)} --{step}"
