"""`./dive doctor`: checks everything that can be wrong with a country, and names what fixes each problem."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dive_infra.automation.stack_config import all_codes, read_settings
from dive_infra.automation.state_export import Export
from dive_infra.cli.environment import prepare_to_read
from dive_infra.cli.exits import Exit, worst
from dive_infra.cli.output import grid, kind, mark, show, signs, stdout
from dive_infra.cli.progress import console as progress
from dive_infra.cli.stacks import codes
from dive_infra.diagnosis import support_bundle as support
from dive_infra.diagnosis.deep_checks import DEADLINE, run_checks
from dive_infra.diagnosis.doctor_report import patient_report
from dive_infra.diagnosis.status_report import CheckReport, DoctorReport, PatientReport
from dive_infra.results.finding import Verdict


def doctor(
    countries: Annotated[
        list[str] | None, typer.Argument(help="Codes such as FRA; by default all countries.", autocompletion=all_codes)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (schemas/doctor.json).")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each passing check too.")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", "-f", help="Show only what is wrong or could not be checked.")
    ] = False,
    patience: Annotated[float, typer.Option("--timeout", min=1, help="Seconds for each check.")] = DEADLINE,
    bundle: Annotated[
        Path | None, typer.Option(help="Also write an archive for support, without secrets (.tar.gz).")
    ] = None,
) -> None:
    """Check everything that can be wrong with a country.

    Includes a login over each link. Changes nothing. Each line says what holds or what is wrong, with its mark:
    holds, warning, wrong, or could not be checked.
    """
    wanted = codes(countries or all_codes())
    prepare_to_read()
    report = collect(wanted, verbose, patience)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        console = stdout()
        show(table(report, console, failed), console)
    if bundle:
        written = support.write(bundle, wanted, report)
        progress.print(f"support archive {bundle}: {written} files, no secrets", markup=False)
    raise typer.Exit(report.exit_code)


def collect(wanted: list[str], verbose: bool = False, patience: float = DEADLINE) -> DoctorReport:
    """Check all countries side by side."""
    started = time.monotonic()
    exports = [Export(code.lower()) for code in wanted]

    def one(export: Export) -> PatientReport:
        code = export.stack.upper()
        return patient_report(code, run_checks(export, partial(read_settings, code), patience), verbose)

    with ThreadPoolExecutor(max_workers=len(exports)) as side_by_side:
        found = list(side_by_side.map(one, exports))
    return DoctorReport(
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 3),
        exit_code=worst(map(outcome, found)),
        countries=found,
    )


def outcome(patient: PatientReport) -> Exit:
    checks = [check for group in patient.groups for check in group.checks]
    if any(c.answer == Verdict.INVALID and not c.warning for c in checks):
        return Exit.FINDINGS
    return Exit.UNKNOWN if any(c.answer == Verdict.UNKNOWN and not c.warning for c in checks) else Exit.OK


def table(report: DoctorReport, console: Console, failed: bool = False) -> RenderableType:
    """Return the checks of each country by group; with `failed` without those that hold."""
    parts: list[RenderableType] = []
    for patient in report.countries:
        parts.append(Text(f"{patient.code} {patient.name}", style="bold"))
        for group in patient.groups:
            checks = [check for check in group.checks if not failed or check.answer != "valid"]
            parts += [Text(f"  {group.title}", style="bold")] if checks else []
            parts += [part for check in checks for part in _check(check, console)]
        parts.append(Text())
    return Group(*parts, _last(report, console))


def _check(check: CheckReport, console: Console) -> list[RenderableType]:
    more = (
        f" (and {check.findings - 1} more for this reason)"
        if check.findings > 1 and check.answer == Verdict.UNKNOWN
        else ""
    )
    title = signs(f"{check.title}{more}", console)
    took = Text(f"{check.seconds:.1f} s", style="dim")
    rows: list[RenderableType] = [
        Padding(
            grid([[mark(kind(check.answer, check.warning), console), title, took]], None, 1, None),
            (0, 0, 0, 4),
        )
    ]
    if check.answer != Verdict.VALID:
        rows += [_more(word, text, console) for word, text in _details(check) if text]
    return rows


def _details(check: CheckReport) -> list[tuple[str, str]]:
    return [
        ("expected", check.expected if check.answer == Verdict.INVALID else ""),
        ("next", check.next),
        ("see", f"./dive explain {check.code} ({check.link})" if check.link else ""),
    ]


def _more(word: str, text: str, console: Console) -> RenderableType:
    style = "bold" if word == "next" else ""
    return Padding(grid([[f"{word:8}", Text(signs(text, console), style=style)]], None, 1), (0, 0, 0, 6))


def _last(report: DoctorReport, console: Console) -> Text:
    checks = [c for p in report.countries for g in p.groups for c in g.checks]
    looked = sum(c.findings for c in checks)
    off = {
        "wrong": sum(c.answer == Verdict.INVALID and not c.warning for c in checks),
        "with a warning": sum(c.answer == Verdict.INVALID and c.warning for c in checks),
        "could not be checked": sum(c.findings for c in checks if c.answer == Verdict.UNKNOWN),
    }
    counts = ", ".join(f"{n} {what}" for what, n in off.items() if n) or "no problems"
    style = "green" if report.exit_code == Exit.OK else "red"
    return Text(signs(f"{looked} checks in {report.seconds:.1f} s: {counts}", console), style=style)
