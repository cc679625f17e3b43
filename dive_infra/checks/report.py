"""The verification report: what was proven, when, and for which declaration.

People and programs read it; no decision of this program depends on it.
"""

import os
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import VerificationSpec, fingerprint
from dive_infra.process.crash_points import crash_point
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.report_part import ReportPart


class ContainerCounts(ReportPart):
    running: int
    unhealthy: int
    stopped: int
    total: int


class CheckResult(ReportPart):
    """`seconds` is the duration of the check."""

    check: str
    topic: str
    answer: Verdict
    expected: str
    found: str
    remedy: str
    seconds: float = Field(ge=0)
    advisory: bool


class Report(ReportPart):
    """`checks` says for each topic whether all of its results are valid; `timestamp` is UTC."""

    version: Literal[1] = 1
    instance: str = Field(pattern="^[A-Z]{3}$")
    status: Literal["success", "failure"]
    timestamp: datetime
    run: str
    fingerprint: str
    seconds: float = Field(ge=0)
    containers: ContainerCounts
    checks: dict[str, bool]
    results: list[CheckResult]
    endpoints: dict[str, str]


def make(spec: VerificationSpec, validation: Validation, run: str) -> Report:
    names = spec.own.names
    states = Counter(f.state or "stopped" for f in validation.findings if f.topic == "containers")
    topics = {f.topic: True for f in validation.findings}
    for finding in validation.findings:
        topics[finding.topic] &= finding.verdict == Verdict.VALID or finding.advisory
    return Report(
        instance=names.country.code,
        status="success" if validation.verdict == Verdict.VALID else "failure",
        timestamp=datetime.now(UTC),
        run=run,
        fingerprint=fingerprint(spec),
        seconds=round(validation.seconds, 3),
        containers=ContainerCounts(
            running=states["healthy"] + states["unhealthy"],
            unhealthy=states["unhealthy"],
            stopped=states["stopped"],
            total=states.total(),
        ),
        checks=topics,
        results=[_result(f) for f in validation.findings],
        endpoints={service: names.url(service) for service in ("frontend", "backend", "keycloak", "kas", "opa")},
    )


def _result(f: Finding) -> CheckResult:
    return CheckResult(
        check=f.check,
        topic=f.topic,
        answer=f.verdict,
        expected=f.expected,
        found=f.found,
        remedy=str(f.remedy),
        seconds=round(f.seconds, 3),
        advisory=f.advisory,
    )


def text(report: Report) -> str:
    """Return the report as it is written to its file."""
    return report.model_dump_json(indent=2) + "\n"


def judge(path: Path, written: str) -> str:
    """Return why the file is not the report that was written, as words that follow its name; empty if it is."""
    try:
        found = path.read_text()
    except FileNotFoundError:
        return "is gone"
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({type(error).__name__})"
    if found == written:
        return ""
    wanted = Report.model_validate_json(written)
    try:
        other = Report.model_validate_json(found)
    except ValidationError:
        return "is not a complete report"
    marks = ("instance", "fingerprint", "run")
    named = {"instance": "another country", "fingerprint": "another declaration", "run": "another run"}
    off = [
        f"for {named[mark]} ({getattr(other, mark)}, expected {getattr(wanted, mark)})"
        for mark in marks
        if getattr(other, mark) != getattr(wanted, mark)
    ]
    return f"was written {off[0]}" if off else "was altered"


def write(content: str, path: Path) -> None:
    """Write the report atomically: a reader never sees half of it, not even after a power loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).chmod(0o644)
        with crash_point("write report"):
            Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def json_schema() -> dict[str, object]:
    """Return the JSON schema of the report, as in `schemas/verification-report.json`."""
    made = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "DIVE verification report"}
