"""`./dive repair`: finds out what is wrong with a country, says what it will do about it, does it, and proves it."""

import sys
import time
from typing import Annotated

import typer

from dive_infra.automation.stack_config import all_codes
from dive_infra.cli import repair_report as report
from dive_infra.cli.environment import ready
from dive_infra.cli.exits import Exit
from dive_infra.cli.output import stdout
from dive_infra.cli.progress import EXPECTED, REPORTER, exit_of, fail, show_failure
from dive_infra.cli.stacks import codes
from dive_infra.diagnosis.diagnosis import Diagnosis, View, diagnose, proven
from dive_infra.diagnosis.repair import RepairPlan, plan

_ROUNDS = 3  # what stood behind something else comes to light once that is mended


def repair(
    country: Annotated[str, typer.Argument(help="a code such as FRA", autocompletion=all_codes)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what is wrong and the plan, and do nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do it without asking")] = False,
) -> None:
    """Mend what is wrong with a country, and prove that it is mended.

    Diagnoses as `./dive status` does, and logs people in when nothing else is wrong; shows the plan; carries it out by
    the Pulumi program; looks again. Counted as repaired is only what is valid afterwards. Data is never removed: what
    needs a person's decision is told with the exact next step.
    """
    (code,) = codes([country])
    ready()
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
    """Who deploys, and what to do; whether a run on another machine lives, only somebody there can tell."""
    told = f"{by.code} is being deployed by {by.status.deployment.holder}"
    again = f"next: wait for it to end, then: ./dive repair {code}"
    if any(update.live is None for update in by.country.updates):
        dead = f"pulumi cancel -s {by.code.lower()} --yes"
        return f"{told}, {by.status.deployment.detail}; {again}; if it is dead, first: {dead}"
    return f"{told}; {again}"


def _agreed(yes: bool, code: str) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        fail(f"nothing was done: nobody can be asked here; next: ./dive repair {code} --yes")
    return typer.confirm("Do it?")


def _carried_out(found: Diagnosis, planned: RepairPlan) -> tuple[Diagnosis, Exit]:
    """Acts until there is nothing more to do, or doing it again would change nothing; how the country is then."""
    before = found.symptoms
    for _ in range(_ROUNDS):
        how = _act(planned)
        found = diagnose(found.code)
        planned = plan(found)
        unchanged = {s.key for s in found.symptoms} >= {s.key for s in before}
        if not planned.steps or unchanged or how in (Exit.LOCKED, Exit.INTERRUPTED):
            return found, how
        before = found.symptoms
    return found, how


def _act(planned: RepairPlan) -> Exit:
    """Carry out the steps, up to the first that fails; return how they ended."""
    for step in planned.steps:
        try:
            step.remedy.act(step.code, REPORTER)
        except EXPECTED as error:
            show_failure(str(error))
            return exit_of(error)
    return Exit.OK


def ended(before: Diagnosis, after: Diagnosis) -> Exit:
    """The exit code: of what was wrong and what is wrong now."""
    left = after.symptoms
    mended = [s for s in before.symptoms if proven(s, after)]
    if not left and len(mended) == len(before.symptoms):
        return Exit.OK
    if mended:
        return Exit.PARTIAL
    return Exit.UNKNOWN if all(s.unknown for s in left) else Exit.FINDINGS
