"""`./dive repair`: diagnose a country, show the plan, carry it out, and verify the result."""

import sys
import time
from typing import Annotated

import typer

from dive_infra.automation.stack_config import all_codes
from dive_infra.cli import repair_report as report
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit
from dive_infra.cli.output import stdout
from dive_infra.cli.progress import REPORTER, exit_of, fail, show_failure
from dive_infra.cli.stacks import codes
from dive_infra.diagnosis.diagnosis import Diagnosis, View, diagnose, proven
from dive_infra.diagnosis.repair import RepairPlan, plan
from dive_infra.results.errors import DiveError

_ROUNDS = 3  # a repair may reveal further symptoms


def repair(
    country: Annotated[str, typer.Argument(help="A code such as FRA.", autocompletion=all_codes)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the findings and the plan; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Repair what is wrong with a country, and verify it.

    Diagnoses as `./dive status` does, and tries logins if nothing else is wrong; shows its plan, carries it out
    by the Pulumi program, and checks again. Only what is valid afterwards counts as repaired. Data is never
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
        fail(_locked(before.running, code), Exit.LOCKED)
    if not planned.steps:
        raise typer.Exit(ended(before, before))
    if dry_run or not _agreed(yes, code):
        raise typer.Exit(Exit.FINDINGS)
    after, stopped = _carried_out(before, planned)
    console.print(report.proof(before, after, time.monotonic() - started, console))
    raise typer.Exit(stopped if stopped in (Exit.LOCKED, Exit.INTERRUPTED) else ended(before, after))


def _locked(by: View, code: str) -> str:
    """Return who deploys, and what to do; only that machine can tell if a run on another machine is alive."""
    message = f"{by.code} is being deployed by {by.status.deployment.holder}"
    again = f"next: wait for it to end, then: ./dive repair {code}"
    if any(update.live is None for update in by.country.updates):
        dead = f"pulumi cancel -s {by.code.lower()} --yes"
        return f"{message}, {by.status.deployment.detail}; {again}; if it is dead, first: {dead}"
    return f"{message}; {again}"


def _agreed(yes: bool, code: str) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        fail(f"no terminal to confirm on; nothing was changed; next: ./dive repair {code} --yes")
    return typer.confirm("Carry out this plan?")


def _carried_out(found: Diagnosis, planned: RepairPlan) -> tuple[Diagnosis, Exit]:
    """Act until no step is left or another round would change nothing; return the final diagnosis."""
    before = found.symptoms
    for _ in range(_ROUNDS):
        outcome = _act(planned)
        found = diagnose(found.code)
        planned = plan(found)
        unchanged = {s.key for s in found.symptoms} >= {s.key for s in before}
        if not planned.steps or unchanged or outcome in (Exit.LOCKED, Exit.INTERRUPTED):
            return found, outcome
        before = found.symptoms
    return found, outcome


def _act(planned: RepairPlan) -> Exit:
    """Carry out the steps, up to the first that fails; return how they ended."""
    for step in planned.steps:
        try:
            step.action.act(step.code, REPORTER)
        except DiveError as error:
            show_failure(str(error))
            return exit_of(error)
    return Exit.OK


def ended(before: Diagnosis, after: Diagnosis) -> Exit:
    """Return the exit code, by what was wrong before and is wrong now."""
    left = after.symptoms
    repaired = [s for s in before.symptoms if proven(s, after)]
    if not left and len(repaired) == len(before.symptoms):
        return Exit.OK
    if repaired:
        return Exit.PARTIAL
    return Exit.UNKNOWN if all(s.unknown for s in left) else Exit.FINDINGS
