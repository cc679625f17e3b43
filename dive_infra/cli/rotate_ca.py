"""`./dive rotate-ca`: replace the coalition's CA in three steps, between which each member updates in its own time."""

from typing import Annotated

import typer
from rich.markup import escape

from dive_infra.automation import stack_config
from dive_infra.automation.deploy import deploy
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.automation.stack_state import read_stack
from dive_infra.checks.ca_rotation import UnderWay, under_way
from dive_infra.cli.environment import prepare
from dive_infra.cli.exits import Exit
from dive_infra.cli.progress import REPORTER, console, ends_on_failure, fail, fail_with
from dive_infra.cli.readiness import require_ready
from dive_infra.cli.stacks import chosen, codes, state_to_change
from dive_infra.config.countries import COUNTRIES, HUB_CODE
from dive_infra.config.paths import stack_file
from dive_infra.membership import document, files
from dive_infra.membership.ca_rotation import Step, following
from dive_infra.membership.refusals import MembershipError
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import Remedy

_VERB = "./dive rotate-ca"
_AFTER = {Step.BEGIN: Step.CONTINUE, Step.CONTINUE: Step.FINISH, Step.FINISH: Step.BEGIN}
_NEXT = {
    Step.BEGIN: f"each member trusts both CAs after its next update, which needs the new document; then: "
    f"{_VERB} --{Step.CONTINUE}",
    Step.CONTINUE: f"each member has certificates of the new CA after its next update, which needs the new document; "
    f"then: {_VERB} --{Step.FINISH}",
    Step.FINISH: "each member stops trusting the old CA with its next update, which needs the new document",
}


def rotate_ca(
    begin: Annotated[bool, typer.Option("--begin", help="Introduce a second CA, which members come to trust.")] = False,
    onward: Annotated[bool, typer.Option("--continue", help="Sign with the second CA.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Drop the first CA.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="A member that is gone: go on without it.", autocompletion=lambda: [*COUNTRIES]),
    ] = None,
) -> None:
    """Replace the coalition's CA in steps, without an outage.

    Each of the three steps is an update of the hub; after it, every member updates in its own time. A step is refused
    while a member is not ready for it. Without an option, it shows what the rotation waits for, and changes nothing.
    """
    asked = [step for step, wanted in zip(Step, (begin, onward, finish), strict=True) if wanted]
    if len(asked) > 1:
        fail(f"found {' and '.join(f'--{step}' for step in asked)}, expected one of them", Exit.UNKNOWN)
    gone = codes(without or [])
    [settings] = chosen([HUB_CODE])
    prepare()
    issued, found = _rotation()
    declared, after = following(settings.authorities)
    if not asked:
        _show(issued, found)
        return
    [step] = asked
    if step != issued:
        fail(f"the next step is --{issued}, not --{step}", Exit.UNKNOWN, Remedy.run(f"{_VERB} --{issued}"))
    if step == declared:
        require_ready(found.waiting if found else {}, _VERB, step, "members", gone, needed=HUB_CODE)
        path = stack_file(HUB_CODE.lower())
        files.write(path, stack_config.replaced(path.read_text(), "authorities", after).encode())
    elif declared != _AFTER[step]:
        found_there = f"dive:authorities of {HUB_CODE} is {list(settings.authorities)}"
        fail(f"{found_there}, which no update has carried out; nothing was changed", remedy=Remedy.deploy(HUB_CODE))
    # Otherwise the step was declared before, and its update has not ended.
    with ends_on_failure():
        deploy(Runner.of(HUB_CODE.lower()), REPORTER)
    console.print(f"[green]✓[/] {_NEXT[step]}", soft_wrap=True)


def _rotation() -> tuple[Step, UnderWay | None]:
    """Return the step that follows the hub's last document, and the rotation; ends the command without a document."""
    stack = read_stack(HUB_CODE.lower(), state_to_change(HUB_CODE, _VERB))
    if not (issued := stack.outputs.get("coalition")):
        fail(f"{HUB_CODE} has issued no coalition document; nothing was changed", remedy=Remedy.deploy(HUB_CODE))
    try:
        coalition = document.latest(str(issued).encode())
    except MembershipError as error:
        fail_with(error, "nothing was changed", Exit.UNKNOWN)
    found = under_way(coalition, stack.spec(Phase.VERIFICATION))
    return (found.next if found else Step.BEGIN), found


def _show(step: Step, found: UnderWay | None) -> None:
    if found is None:
        console.print(f"the coalition has one CA; to replace it: {_VERB} --{step}")
        return
    for code, why in found.waiting.items():
        console.print(f"[yellow]‼[/] {code} {escape(why)}", soft_wrap=True)
    ready = "waits for " + ", ".join(found.waiting) if found.waiting else "every country is ready"
    console.print(f"the coalition's CA is being replaced; {ready}; next: {_VERB} --{step}", soft_wrap=True)
