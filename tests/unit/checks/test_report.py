"""The verification report: its schema, and that only the one that was written counts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dive_infra.checks import report, runner
from dive_infra.checks.spec import (
    VerificationSpec,
)
from dive_infra.dynamic.report import ReportProvider
from dive_infra.results.finding import Finding, Verdict
from tests.unit.checks.specs import SECRET, SPECS


def _report() -> report.Report:
    findings = (
        Finding("t-unit-fra-opa runs", Verdict.VALID, topic="containers", state="healthy"),
        # The words for people decide nothing.
        *(
            Finding(
                f"t-unit-fra-{service} runs",
                Verdict.INVALID,
                found=found,
                topic="containers",
                advisory=True,
                state=state,
            )
            for service, found, state in (("portal", "exited with 1", "stopped"), ("kas", "image: other", "unhealthy"))
        ),
        Finding("a user from FRA can log in at USA", Verdict.VALID, seconds=1.2, topic="logins"),
    )
    spec = SPECS[5]
    assert isinstance(spec, VerificationSpec)
    return report.make(spec, runner.Validation(findings, 1.5), "run-1")


def test_the_report_is_what_its_schema_says() -> None:
    schema = json.loads(Path("schemas/verification-report.json").read_text())
    assert schema == report.json_schema()
    made = json.loads(_report().model_dump_json())
    Draft202012Validator(schema).validate(made)
    assert made["status"] == "success"
    assert made["containers"] == {"running": 2, "unhealthy": 1, "stopped": 1, "total": 3}
    assert SECRET not in json.dumps(made)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda text: text, ""),
        (lambda text: text[:200], "is not a complete report"),
        (lambda _: "", "is not a complete report"),
        (lambda text: text.replace('"success"', '"failure"'), "was altered"),
        (lambda text: text.replace("run-1", "run-0"), "was written for another run (run-0, expected run-1)"),
        (lambda text: text.replace('"FRA"', '"USA"'), "was written for another country (USA, expected FRA)"),
    ],
    ids=["as written", "half", "empty", "forged", "another run", "another country"],
)
def test_a_report_that_is_not_the_one_that_was_written_is_reported_and_written_again(
    tmp_path: Path, harm: Callable[[str], str], told: str
) -> None:
    path, written = tmp_path / "report.json", report.text(_report())
    inputs = {"path": str(path), "text": written}
    assert report.judge(path, written) == "is gone"
    path.write_text(harm(written))
    assert report.judge(path, written) == told
    provider = ReportProvider()
    reason = provider.drift_reason(inputs)
    assert reason == (f"{path} {told}, so it is ignored and written again" if told else None)
    provider.create_resource(inputs)
    assert path.read_text() == written


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    report.write(report.text(_report()), path)
    before = path.read_text()
    assert json.loads(before)["instance"] == "FRA"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        report.write(report.text(_report()), path)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
