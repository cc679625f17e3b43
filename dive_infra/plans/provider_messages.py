"""What providers tell of a phase or a resource while Pulumi looks: made here, and read here again from a run's output.

A line is all that a provider can say beside "changed" and "not changed", so it carries the evidence and the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dive_infra.orchestration.states import Phase

About = Literal["skipped", "unknown", "again", "reason"]

_PHASES = "|".join(Phase)
_LINES: tuple[tuple[About, re.Pattern[str]], ...] = (
    ("skipped", re.compile(rf"✓ (?P<of>{_PHASES}) phase complete and validated, skipping \((?P<what>.*)\)$")),
    ("unknown", re.compile(rf"\? (?P<of>{_PHASES}) phase could not be checked now, (?P<what>.*)$")),
    ("again", re.compile(rf"(?P<of>{_PHASES}) phase runs again(?:: |, )(?P<what>.*)$")),
    ("reason", re.compile(r"(?P<of>[A-Z][A-Za-z]+ \S+): (?P<what>.*)$")),
)


_FINDINGS = "✗‼?…"  # how a finding begins


@dataclass(frozen=True)
class ProviderMessage:
    """`of` is a phase, or for a reason the kind and the id of a resource (`Gate dive-fra-redis`)."""

    about: About
    of: str
    what: str


def skipped(phase: Phase, evidence: str) -> str:
    return f"✓ {phase} phase complete and validated, skipping ({evidence})"


def unknown(phase: Phase, kept: str) -> str:
    return f"? {phase} phase could not be checked now, {kept}"


def again(phase: Phase, why: str) -> str:
    """`why` begins with the sign that joins it: `: its secrets changed`, `, as it is not valid now`."""
    return f"{phase} phase runs again{why}"


def reason(kind: str, name: str, why: str) -> str:
    return f"{kind} {name}: {why}"


def read(text: str) -> Iterator[ProviderMessage]:
    """What the lines of a run's output tell; findings below a line belong to it."""
    told: ProviderMessage | None = None
    for line in filter(str.strip, text.splitlines()):
        found = next(((about, m) for about, pattern in _LINES if (m := pattern.match(line))), None)
        if not found and told and line.lstrip()[0] in _FINDINGS:
            told = ProviderMessage(told.about, told.of, f"{told.what}\n{line.strip()}")
            continue
        if told:
            yield told
        told = ProviderMessage(found[0], found[1]["of"], found[1]["what"]) if found else None
    if told:
        yield told
