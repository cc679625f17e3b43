"""Lines that our providers print while Pulumi runs: formatted here, and parsed here again from Pulumi's output.

A provider can answer a diff only with "changed" or "unchanged", so a line carries the evidence or the reason. This
module is the only one that knows how such a line reads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dive_infra.config.environment import ACCEPT_LOSS, REMOVE
from dive_infra.orchestration.states import Phase
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

About = Literal["skipped", "unknown", "again", "unchecked", "drifted"]

_PHASE = "|".join(Phase)
_RESOURCE = r"[A-Z][A-Za-z]+ \S.*?"
_KEPT = "could not be checked, kept as it was"
_CHANGED = "changed: "
_FORMS: Mapping[About, tuple[str, str]] = {  # the line, and what `of` is; the first that matches decides
    "skipped": ("✓ {of} phase complete and validated, skipping ({what})", _PHASE),
    "unknown": ("? {of} phase could not be checked now, {what}", _PHASE),
    "again": ("{of} phase runs again: {what}", _PHASE),
    "unchecked": (f"{{of}}: {_KEPT}: {{what}}", _RESOURCE),
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


def all_unchecked(resources: Iterable[str]) -> str:
    """Format one note for all resources that could not be checked."""
    return f"{_KEPT}: {', '.join(resources)}"


def drifted(kind: str, name: str, why: str) -> str:
    """Format: the resource differs from what was deployed."""
    return str(ProviderMessage("drifted", f"{kind} {name}", why))


def changed(properties: Iterable[str]) -> str:
    """Format a reason: these properties changed."""
    return f"{_CHANGED}{', '.join(properties)}"


def changed_properties(reason: str) -> list[str]:
    """Return the properties in a reason that `changed` formatted; none in any other reason."""
    return reason.removeprefix(_CHANGED).split(", ") if reason.startswith(_CHANGED) else []


# Lines that only people read.


def still_recorded(phase: str, country: str, cause: object) -> str:
    """Format: the phase is destroyed, but its record could not be removed."""
    return f"{phase} of {country}: the record still names it completed: {cause}"


def loss_not_needed(volume: str) -> str:
    """Format: the environment accepts the loss of a volume that is not lost."""
    unneeded = DiveError(f"{ACCEPT_LOSS} names {volume}, which is not lost", Remedy.run(f"unset {ACCEPT_LOSS}"))
    return f"warning: {unneeded}"


def volume_loss_accepted(volume: str) -> str:
    """Format: a lost volume is replaced by an empty one."""
    return f"{volume}: the loss is accepted, an empty volume is created"


def record_loss_accepted() -> str:
    """Format: the damaged orchestration database is recreated."""
    return "orchestration database: the loss of the record is accepted, it is recreated"


def migrated(migrations: int, version: int) -> str:
    """Format: the orchestration schema was migrated to this version."""
    return f"orchestration database: {migrations} migrations applied, schema version {version}"


def login_repaired(role: str) -> str:
    """Format: a role of Postgres logs in again."""
    return f"role {role} logs in again"


def database_closed(name: str) -> str:
    """Format: no one but its owner has rights on a database any more."""
    return f"only the owner of database {name} may enter it"


def database_recreated(name: str) -> str:
    """Format: a lost database was recreated."""
    return f"database {name} was recreated, empty"


def service_degraded(service_class: str, cause: object) -> str:
    """Format: a service that is not core is not healthy."""
    return f"warning: {service_class} service {cause}"


def orphan_kept(volume: str) -> str:
    """Format: an orphaned data volume is kept until its loss is accepted."""
    return f"data volume {volume} is kept; to give its data up: {ACCEPT_LOSS}={volume} beside {REMOVE}"


def orphan_removed(kind: str, name: str, stack: str) -> str:
    """Format: an orphaned object of another stack was removed."""
    return f"{kind} {name} of {stack}: orphaned, removed"


def seeded(collection: str, inserted: int, replaced: int, removed: int, kept: int) -> str:
    """Format: the documents of a collection were written."""
    return f"{collection}: {inserted} inserted, {replaced} replaced, {removed} removed, {kept} kept"


def user_repaired(username: str, properties: Iterable[str]) -> str:
    """Format: these properties of a test user were repaired, or the user was created if there are none."""
    listed = ", ".join(properties)
    return f"{username}: {listed} repaired" if listed else f"{username} created"


def lock_lifted(username: str, lockout: str) -> str:
    """Format: a test user that was locked out may log in again."""
    return f"{username}: was {lockout}; the lock is lifted"


def keys_recorded(realm: str, kids: Iterable[str]) -> str:
    """Format: these keys of a realm are recorded from now on."""
    return f"realm {realm}: recorded the keys {', '.join(kids)}"


def undeclared_repaired(what: str) -> str:
    """Format: an undeclared part of a realm was repaired."""
    return f"{what}: was not as declared, repaired"


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
