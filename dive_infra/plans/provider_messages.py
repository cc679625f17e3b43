"""Lines that our providers print while Pulumi runs: formatted here, and parsed here again from Pulumi's output.

A provider can answer a diff only with "changed" or "unchanged", so a line carries the evidence or the reason. This
module is the only one that knows how such a line reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dive_infra.orchestration.states import Phase

About = Literal["skipped", "unknown", "again", "unchecked", "drifted"]

_PHASE = "|".join(Phase)
_RESOURCE = r"[A-Z][A-Za-z]+ \S.*?"
_FORMS: Mapping[About, tuple[str, str]] = {  # the line, and what `of` is; the first that matches decides
    "skipped": ("✓ {of} phase complete and validated, skipping ({what})", _PHASE),
    "unknown": ("? {of} phase could not be checked now, {what}", _PHASE),
    "again": ("{of} phase runs again: {what}", _PHASE),
    "unchecked": ("{of}: could not be checked, kept as it was: {what}", _RESOURCE),
    "drifted": ("{of}: {what}", _RESOURCE),
}


def _pattern(line: str, of: str) -> re.Pattern[str]:
    literal = re.escape(line).replace(r"\{of\}", f"(?P<of>{of})").replace(r"\{what\}", "(?P<what>.*)")
    return re.compile(f"{literal}$")


_PATTERNS = {about: _pattern(*form) for about, form in _FORMS.items()}
_FINDINGS = "✗‼?…"  # the signs that a finding below a line starts with
# Pulumi's own progress of a checkpoint, or our line for a skipped one.
_ENDED = re.compile(
    rf"({_PHASE.lower()})-(?:checkpoint|proof) (?:created|updated)|✓ ({_PHASE}) phase complete and validated"
)


@dataclass(frozen=True)
class ProviderMessage:
    """A line, with the findings below it as further lines of `what`.

    `of` is a phase or, where it is about a resource, its kind and id: `Gate dive-fra-redis`.
    """

    about: About
    of: str
    what: str

    def __str__(self) -> str:
        first, *findings = self.what.split("\n")
        return "\n".join([_FORMS[self.about][0].format(of=self.of, what=first), *findings])


def skipped(phase: Phase, evidence: str) -> str:
    """Format: the phase is valid now, by this evidence."""
    return str(ProviderMessage("skipped", phase, evidence))


def unknown(phase: Phase, kept: str) -> str:
    """Format: the phase could not be checked; `kept` says since when it counts as proven, and the cause."""
    return str(ProviderMessage("unknown", phase, kept))


def again(phase: Phase, why: str) -> str:
    """Format: the phase runs again, for this reason."""
    return str(ProviderMessage("again", phase, why))


def unchecked(kind: str, name: str, cause: str) -> str:
    """Format: the resource could not be checked and is kept as it was."""
    return str(ProviderMessage("unchecked", f"{kind} {name}", cause))


def drifted(kind: str, name: str, why: str) -> str:
    """Format: the resource differs from what was deployed."""
    return str(ProviderMessage("drifted", f"{kind} {name}", why))


def parse(text: str) -> Iterator[ProviderMessage]:
    """Yield the messages in a run's output; other lines are skipped."""
    message: ProviderMessage | None = None
    for line in filter(str.strip, text.splitlines()):
        found = next(((about, m) for about, pattern in _PATTERNS.items() if (m := pattern.match(line))), None)
        if not found and message and line.lstrip()[0] in _FINDINGS:
            message = ProviderMessage(message.about, message.of, f"{message.what}\n{line.strip()}")
            continue
        if message:
            yield message
        message = ProviderMessage(found[0], found[1]["of"], found[1]["what"]) if found else None
    if message:
        yield message


def ended_phases(text: str) -> Iterator[Phase]:
    """Yield the phases that ended in a run's output: whose checkpoint was created, updated or skipped."""
    for found in _ENDED.finditer(text):
        yield Phase((found[1] or found[2]).upper())
