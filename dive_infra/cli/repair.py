"""`./dive repair`: diagnose a country, show the plan, carry it out, and verify the result."""

import sys
import time
from typing import Annotated, NoReturn

import typer

from dive_infra.automation.stack_config import all_codes
from dive_infra.cli import repair_report as report
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit
from dive_infra.cli.output import stdout
from dive_infra.cli.progress import REPORTER, exit_of, fail, show_failure
from dive_infra.cli.stacks import codes
from dive_infra.diagnosis.diagnosis import Diagnosis, RepairOutcome, View, diagnose, outcome
from dive_infra.diagnosis.repair import RepairPlan, plan
from dive_infra.diagnosis.symptoms import Symptom
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

_ROUNDS = 3  # a repair may reveal further symptoms


def repair(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the findings and the plan; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Repair what is wrong with a country, and verify it.

    Diagnoses as `./dive status` does, and tries logins if nothing else is wrong; shows its plan, carries it out
    by the Pulumi program, and checks again. Only what was checked again and is valid counts as repaired. Data is never
    removed: what needs an operator's decision is listed with the exact next step.
    """
    (code,) = codes([country])
    prepare_to_read()
    console, started = stdout(), time.monotonic()
    before = diagnose(code)
    planned = plan(before)
    console.print(report.findings(before, console))
    console.print(report.planned(before, planned, console))
    if before.running:
        _refuse(before.running, code)
    if not planned.steps:
        raise typer.Exit(ended(outcome(before.symptoms, before)))
    if dry_run or not _agreed(yes, code):
        raise typer.Exit(Exit.FINDINGS)
    seen, after, stopped = _carried_out(before, planned)
    result = outcome(seen, after)
    console.print(report.proof(result, after, time.monotonic() - started, console))
    raise typer.Exit(stopped if stopped in (Exit.LOCKED, Exit.INTERRUPTED) else ended(result))


def _refuse(by: View, code: str) -> NoReturn:
    """Say who deploys, and what to do; only that machine can tell if a run on another machine is alive."""
    cause = f"{by.code} is being deployed by {by.status.deployment.holder}"
    again = f"wait for it to end, then: ./dive repair {code}"
    if any(update.live is None for update in by.country.updates):
        cause += f", {by.status.deployment.detail}"
        again += f"; if it is dead, first: pulumi cancel -s {by.code.lower()} --yes"
    fail(cause, Exit.LOCKED, Remedy.wait(again))


def _agreed(yes: bool, code: str) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        fail("no terminal to confirm on; nothing was changed", remedy=Remedy.run(f"./dive repair {code} --yes"))
    return typer.confirm("Carry out this plan?")


def _carried_out(found: Diagnosis, planned: RepairPlan) -> tuple[tuple[Symptom, ...], Diagnosis, Exit]:
    """Act until no step is left or another round would change nothing.

    Return what was wrong at any time, the final diagnosis, and how the last round ended.
    """
    seen = {s.key: s for s in found.symptoms}
    for _ in range(_ROUNDS):
        before = found.symptoms
        stopped = _act(planned)
        found = diagnose(found.code, again=tuple(seen.values()))
        planned = plan(found)
        unchanged = {s.key for s in found.symptoms} >= {s.key for s in before}
        if not planned.steps or unchanged or stopped in (Exit.LOCKED, Exit.INTERRUPTED):
            break
        seen = {s.key: s for s in found.symptoms} | seen
    return tuple(seen.values()), found, stopped


def _act(planned: RepairPlan) -> Exit:
    """Carry out the steps, up to the first that fails; return how they ended."""
    for step in planned.steps:
        try:
            step.action.act(step, REPORTER)
        except DiveError as error:
            show_failure(str(error))
            return exit_of(error)
    return Exit.OK


def ended(result: RepairOutcome) -> Exit:
    """Return the exit code of a repair that ended so."""
    if not result.left:
        return Exit.OK
    if result.repaired:
        return Exit.PARTIAL
    return Exit.UNKNOWN if all(s.unknown for s in result.wrong) else Exit.FINDINGS
