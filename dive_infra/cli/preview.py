"""`./dive preview`: shows what an update would do to each country, for people and for pull requests."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dive_infra.automation import preview_run, workspace
from dive_infra.cli import images
from dive_infra.cli.exits import Exit
from dive_infra.cli.output import stdout
from dive_infra.cli.progress import step
from dive_infra.cli.stacks import chosen
from dive_infra.plans.comment import SIGNS, SITUATIONS, headline, markdown
from dive_infra.plans.plan import PlannedChange, Preview, UpdatePlan
from dive_infra.toolchain import toolchain
from dive_infra.toolchain.toolchain import Toolchain

_COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red"}


def preview(
    countries: Annotated[
        list[str] | None, typer.Argument(help="Codes such as FRA; by default the hub, then France.")
    ] = None,
    comment: Annotated[
        Path | None, typer.Option("--markdown", help="Write a comment for a pull request to this file.", dir_okay=False)
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write the plans to this file (schemas/preview.json).", dir_okay=False)
    ] = None,
    from_state: Annotated[
        bool, typer.Option("--from-state", help="Use no engine: for a machine on which the coalition does not run.")
    ] = False,
) -> None:
    """Show what an update would do, phase by phase.

    Compares with what is available: the live system, its state, or neither. Ends with 0 if the plans succeed, whether
    or not something changes, and with 1 if one fails or its update would be refused.
    """
    wanted = chosen(countries or images.DEFAULT)
    tools = _tools()
    plans: list[UpdatePlan] = []
    for settings in wanted:
        with step(f"preview of {settings.country}"):
            plans.append(preview_run.plan(settings, tools, from_state))
    console = stdout()
    for plan in plans:
        show(plan, console)
    if comment:
        comment.write_text(markdown(plans))
    if as_json:
        as_json.write_text(Preview(plans=plans).model_dump_json(indent=2) + "\n")
    if any(plan.result == "failed" for plan in plans):
        raise typer.Exit(Exit.FINDINGS)


def _tools() -> Toolchain:
    """Return Pulumi without asking for an engine: a preview works without one."""
    with step("Pulumi") as progress:
        tools = toolchain.ensure(None, progress)
        toolchain.ensure_plugins(tools, workspace.pulumi_home(), progress)
        return tools


def show(plan: UpdatePlan, console: Console) -> None:
    """Print a plan with the words of the comment."""
    console.rule(f"{plan.country}: {headline(plan)} ({plan.seconds:.0f} s)")
    console.print(f"{SITUATIONS[plan.situation]} The command: {plan.command}", markup=False)
    for error in plan.errors:
        console.print(f"✗ {error}", markup=False, style="red")
    for change in plan.losses:
        console.print(f"{change.operation}s {change.name}: {change.holds}", markup=False, style="bold red")
    for note in plan.notes:
        console.print(f"  {note}", markup=False, style="dim", soft_wrap=True)
    table = Table("phase", "", "what changes, and why")
    for phase in plan.phases:
        rows = [*([escape(phase.evidence)] if phase.evidence else []), *map(_row, phase.listed)]
        table.add_row(phase.phase, phase.verdict, "\n".join([*rows, *([phase.counted] if phase.counted else [])]))
    if plan.others:
        table.add_row("–", "", "\n".join(map(_row, plan.others)))
    if table.row_count:
        console.print(table)


def _row(change: PlannedChange) -> str:
    colour = _COLOURS[change.operation]
    why = f": {'; '.join(change.why)}" if change.why else ""
    name = escape(f"{change.name}{why}")
    return f"[{colour}]{SIGNS[change.operation]}[/] " + (f"[bold]{name}[/]" if change.loses else name)
