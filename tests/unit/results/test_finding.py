"""Findings: their verdict, their titles, and how lists of them read."""

from collections.abc import Sequence

import pytest

from dive_infra.results.finding import Finding, Verdict, evidence, listing, overall
from dive_infra.results.remedy import Remedy


def found(*answers: Verdict) -> list[Finding]:
    return [Finding(f"check {n}", answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("valid", "valid"), "valid"),
        (("valid", "unknown"), "unknown"),
        (("valid", "unknown", "invalid"), "invalid"),
        ((), "unknown"),  # nothing looked at is nothing known
    ],
)
def test_a_verdict_has_three_values(answers: Sequence[Verdict], told: Verdict) -> None:
    assert overall(found(*answers)) == told


def test_an_advisory_finding_is_shown_and_decides_nothing() -> None:
    findings = [
        *found("valid"),
        Finding("the portal is up", Verdict.INVALID, "up", "down", Remedy.update(), advisory=True),
    ]
    assert overall(findings) == "valid"
    assert listing(findings, "invalid") == "  ‼ not so: the portal is up; found down; expected up; next: pulumi up"


@pytest.mark.parametrize(
    ("finding", "shown"),
    [
        (Finding("opa runs, healthy", Verdict.VALID, found="running"), "✓ opa runs, healthy: running"),
        (
            Finding(
                "opa runs", Verdict.INVALID, "running", "stopped", Remedy.update(), subject="opa", topic="containers"
            ),
            "✗ opa: stopped; expected running; next: pulumi up",
        ),
        (
            Finding("the disk has room", Verdict.INVALID, "5 GiB", "3 GiB", topic="disk"),
            "✗ disk: 3 GiB; expected 5 GiB",
        ),
        (Finding("the disk has room", Verdict.INVALID, topic="disk"), "✗ not so: the disk has room"),
        (
            Finding("Redis answers", Verdict.UNKNOWN, "a login", "timed out", topic="redis"),
            "? could not check that Redis answers: timed out",
        ),
    ],
    ids=["what holds", "a named subject", "the topic", "nothing found", "could not be checked"],
)
def test_a_failed_check_is_titled_by_what_is_wrong(finding: Finding, shown: str) -> None:
    assert str(finding) == shown


def test_a_long_list_is_cut_with_its_count() -> None:
    assert listing(found(*["invalid"] * 30), "invalid").endswith("… and 18 more")


def test_evidence_counts_by_topic() -> None:
    findings = [
        Finding("a", Verdict.VALID, topic="containers"),
        Finding("b", Verdict.VALID, topic="containers"),
        *found("valid"),
    ]
    assert evidence(findings, 0.314) == "2 containers, check 0; 0.31 s"
