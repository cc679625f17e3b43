"""Findings: what a check found out, one for each thing it checked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dive_infra.results.codes import Code
from dive_infra.results.remedy import NO_REMEDY, Remedy


class Verdict(StrEnum):
    """The result of a check. UNKNOWN means that it could not be checked, which is neither of the others."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


ContainerState = Literal["healthy", "unhealthy", "stopped"]

_SHOWN = 12
_MARKS = {Verdict.VALID: "✓", Verdict.INVALID: "✗", Verdict.UNKNOWN: "?"}
_WARNING = "‼"


@dataclass(frozen=True)
class Finding:
    """`check` states the wanted condition; `remedy` is the next step; `code` is an error code.

    `subject` names what was checked, for the title of a failure: `client portal`; by default the topic. `topic` groups
    findings in an evidence line. An `advisory` finding is shown and decides nothing: an optional service that is down
    is a warning, not a failed phase. A `final` one is not checked again: that would change nothing, or do harm. An
    `undeclared` object was not declared; the services work in spite of it. `state` is that of a checked container,
    for programs: `healthy`, `unhealthy` or `stopped`. `source` is the sentence of the check that made the finding: one
    check may report many. A status shows the `note` of a valid finding.
    """

    check: str
    verdict: Verdict
    expected: str = ""
    found: str = ""
    remedy: Remedy = NO_REMEDY
    seconds: float = 0.0
    code: Code | None = None
    topic: str = ""
    advisory: bool = False
    final: bool = False
    subject: str = ""
    undeclared: bool = False
    state: ContainerState | None = None
    source: str = ""
    note: str = ""

    @property
    def headline(self) -> str:
        """Return what holds, what is wrong or what could not be checked; never the wanted condition of a failure."""
        if self.verdict == Verdict.INVALID:
            subject = self.subject or self.topic
            if subject and self.found:
                return f"{subject}: {self.found}"
            return f"not so: {self.check}" + (f"; found {self.found}" if self.found else "")
        sentence = f"could not check that {self.check}" if self.verdict == Verdict.UNKNOWN else self.check
        return f"{sentence}: {self.found}" if self.found else sentence

    @property
    def statement(self) -> str:
        """Return the headline, with what was expected instead."""
        expected = self.expected if self.verdict == Verdict.INVALID else ""
        return f"{self.headline}; expected {expected}" if expected else self.headline

    def __str__(self) -> str:
        mark = _WARNING if self.advisory and self.verdict == Verdict.INVALID else _MARKS[self.verdict]
        line = f"{mark} {self.statement}"
        return f"{line}; next: {self.remedy}" if self.remedy and self.verdict != Verdict.VALID else line


def overall(findings: Sequence[Finding]) -> Verdict:
    """Return INVALID if one is, else UNKNOWN if one is, else VALID. No findings at all are UNKNOWN."""
    verdicts = {f.verdict for f in findings if not f.advisory}
    if Verdict.INVALID in verdicts:
        return Verdict.INVALID
    return Verdict.VALID if verdicts == {Verdict.VALID} else Verdict.UNKNOWN


def evidence(findings: Sequence[Finding], seconds: float) -> str:
    """Return what was proven, in one line: `9 containers, 2 postgres, redis; 0.31 s`."""
    return f"{counted(findings) or 'nothing'}; {seconds:.2f} s"


def counted(findings: Sequence[Finding]) -> str:
    """Return how many findings of which topic are valid: `9 containers, redis`."""
    counts = Counter(f.topic or f.check for f in findings if f.verdict == Verdict.VALID)
    return ", ".join(f"{n} {topic}" if n > 1 else topic for topic, n in counts.items())


def listing(findings: Sequence[Finding], *verdicts: Verdict) -> str:
    """Return the findings with these verdicts, one indented line each; a long list is cut with a count."""
    chosen = [f for f in findings if f.verdict in verdicts]
    lines = [f"  {f}" for f in chosen[:_SHOWN]]
    if len(chosen) > _SHOWN:
        lines.append(f"  … and {len(chosen) - _SHOWN} more")
    return "\n".join(lines)
