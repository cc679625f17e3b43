"""What a check answers: one finding for each thing it looked at."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

REMOVE = "DIVE_REMOVE"  # what one run may remove though nobody declared it, separated by commas: `client/name`
ORPHANS = "orphans/"  # followed by the mark of a deployment that nobody carries on

Answer = Literal["valid", "invalid", "unknown"]  # unknown: it could not be told, which is neither of the others

_SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """`check` is a positive sentence of the wanted state; `remedy` the next command; `code` an error code of DIVE V3.

    `topic` groups findings in an evidence line. An `advisory` finding is shown and decides nothing: an optional service
    that is down is a warning, not a failed phase. A `final` one is not asked again: it would be the same, or do harm.
    """

    check: str
    answer: Answer
    expected: str = ""
    found: str = ""
    remedy: str = ""
    seconds: float = 0.0
    code: int | None = None
    topic: str = ""
    advisory: bool = False
    final: bool = False

    def __str__(self) -> str:
        mark = {"valid": "✓", "invalid": "‼" if self.advisory else "✗", "unknown": "?"}[self.answer]
        parts = [f"{mark} {self.check}"]
        parts += [f"expected {self.expected}"] if self.expected and self.answer == "invalid" else []
        parts += [f"found {self.found}"] if self.found else []
        line = ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]
        return f"{line}; next: {self.remedy}" if self.remedy and self.answer != "valid" else line


def verdict(findings: Sequence[Finding]) -> Answer:
    """`invalid` when one is, else `unknown` when one is, else `valid`. Nothing looked at is nothing known."""
    answers = {f.answer for f in findings if not f.advisory}
    if "invalid" in answers:
        return "invalid"
    return "valid" if answers == {"valid"} else "unknown"


def evidence(findings: Sequence[Finding], seconds: float) -> str:
    """What was proven, in one line: `9 containers, 2 postgres, redis; 0.31 s`."""
    return f"{counted(findings) or 'nothing'}; {seconds:.2f} s"


def counted(findings: Sequence[Finding]) -> str:
    """How many of which topic are valid: `9 containers, redis`."""
    counts = Counter(f.topic or f.check for f in findings if f.answer == "valid")
    return ", ".join(f"{n} {topic}" if n > 1 else topic for topic, n in counts.items())


def listing(findings: Sequence[Finding], *answers: Answer) -> str:
    """The findings with these answers, one indented line each, long lists cut with their count."""
    chosen = [f for f in findings if f.answer in answers]
    lines = [f"  {f}" for f in chosen[:_SHOWN]]
    if len(chosen) > _SHOWN:
        lines.append(f"  … and {len(chosen) - _SHOWN} more")
    return "\n".join(lines)
