"""The report of the deep checks: one line for each check that holds, one for each finding that does not."""

from collections.abc import Iterator, Mapping, Sequence

from dive_infra.config.countries import COUNTRIES
from dive_infra.diagnosis.deep_checks import CheckRun
from dive_infra.diagnosis.status_report import CheckReport, GroupReport, PatientReport
from dive_infra.results.codes import CODES
from dive_infra.results.finding import Finding, Verdict, counted


def patient_report(code: str, groups: Mapping[str, Sequence[CheckRun]], verbose: bool = False) -> PatientReport:
    """Return the report of a country; `verbose` lists every finding, those of passing checks too."""
    return PatientReport(
        code=code,
        name=COUNTRIES[code].name,
        groups=[
            GroupReport(
                title=title,
                seconds=round(max((run.validation.seconds for run in runs), default=0.0), 3),
                checks=[line for run in runs for line in _lines(code, run, verbose)],
            )
            for title, runs in groups.items()
        ],
    )


def _lines(code: str, run: CheckRun, verbose: bool) -> Iterator[CheckReport]:
    findings = run.validation.findings
    off = [f for f in findings if f.verdict != Verdict.VALID]
    if verbose or len(findings) == 1:
        yield from (_line(code, f) for f in findings)
    elif off:
        yield from _alike(code, off)
    else:
        evidence = counted(findings)
        merged = Finding(run.check.sentence, Verdict.VALID, found=evidence, seconds=run.validation.seconds)
        yield _line(code, merged, len(findings))


def _alike(code: str, findings: Sequence[Finding]) -> Iterator[CheckReport]:
    """Yield findings; what could not be checked for one and the same cause once."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        key = (Verdict.UNKNOWN, finding.found) if finding.verdict == Verdict.UNKNOWN else (finding.check, finding.found)
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        yield _line(code, group[0], len(group))


def _line(code: str, finding: Finding, count: int = 1) -> CheckReport:
    wrong = finding.verdict != Verdict.VALID
    row = CODES.get(finding.code) if finding.code and wrong else None
    return CheckReport(
        check=finding.check,
        answer=finding.verdict,
        warning=wrong and finding.advisory,
        found=finding.found,
        expected=finding.expected if wrong else "",
        next=(finding.remedy.command(code) or f"./dive up {code}") if wrong else "",
        code=row.number if row else None,
        link=row.anchor if row else "",
        findings=count,
        seconds=round(finding.seconds, 3),
        title=finding.headline,
    )
