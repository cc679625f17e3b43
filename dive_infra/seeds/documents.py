"""The documents of a country, derived from its code and a number alone: equal at any time and on any machine.

The first ones are fixed: between any two countries, something is permitted and something is refused for each reason.
The others are spread over classifications, recipients and communities like a working archive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from dive_infra.config.communities import EVERYBODY, FVEY, NATO
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.seeds import national_clearances

LARGEST = 5000
T = TypeVar("T")


@dataclass(frozen=True)
class Label:
    """`recipients` names a row of `_RECIPIENTS`, or is `some` or `none`; a reader holds all `communities`."""

    classification: str
    recipients: str
    communities: tuple[str, ...] = ()
    created: str = "2025-01-15"


CORNERSTONES = (
    Label("UNCLASSIFIED", "everybody"),
    Label("RESTRICTED", "everybody"),
    Label("CONFIDENTIAL", "everybody"),
    Label("SECRET", "everybody"),
    Label("SECRET", "everybody", ("NATO",)),
    Label("TOP_SECRET", "everybody", ("NATO", "FVEY")),
    Label("UNCLASSIFIED", "own"),
    Label("SECRET", "own"),
    Label("UNCLASSIFIED", "none"),
    Label("UNCLASSIFIED", "everybody", created="2099-01-01"),  # under embargo
)

_RECIPIENTS: dict[str, Sequence[str]] = {
    "everybody": EVERYBODY,
    "nato": NATO,
    "fvey": FVEY,
    "hub": (HUB_CODE,),
    "own": (),
}
_LEVELS = (
    *(3 * ("UNCLASSIFIED",)),
    *(3 * ("RESTRICTED",)),
    *(2 * ("CONFIDENTIAL",)),
    *(3 * ("SECRET",)),
    "TOP_SECRET",
)
_SPREAD = (*(6 * ("some",)), "nato", "fvey", "hub", "own")
_SOME = 6  # partners of a document for "some", beside its own country and the hub
_COMMUNITIES: dict[str, Sequence[tuple[str, ...]]] = {
    "UNCLASSIFIED": ((),),
    "RESTRICTED": ((),),
    "CONFIDENTIAL": ((), (), ("NATO",)),
    "SECRET": ((), ("NATO",), ("NATO",), ("FVEY",)),
    "TOP_SECRET": ((), ("NATO",), ("NATO", "FVEY"), ("NATO-COSMIC",)),
}

_KINDS = ("Situation report", "Logistics plan", "Exercise order", "Lessons learned", "Intelligence summary", "Briefing")
_TOPICS = (
    "fuel and ammunition supply",
    "air policing rotation",
    "mine clearance",
    "cyber defence readiness",
    "medical evacuation routes",
    "maritime patrol coverage",
    "host nation support",
    "spectrum management",
    "bridge and rail capacity",
    "joint fires coordination",
)
_AREAS = ("Baltic region", "Black Sea", "High North", "Mediterranean", "Atlantic corridor", "Central Europe", "Sahel")
_FINDINGS = (
    "Stocks cover the planned demand for thirty days; two depots report delays of their carriers.",
    "Liaison officers agreed on one reporting format, so that figures of several nations can be added up.",
    "Weather will limit operations on four days of the coming fortnight.",
    "The rehearsal ended on time; handing over between shifts took longer than planned.",
    "Radio links held throughout, apart from a gap of eleven minutes during the change of frequencies.",
    "Civil authorities confirmed the routes and asked for notice two days ahead.",
)
_MEASURES = (
    "The next review takes place in two weeks.",
    "A second carrier is under contract from the first of the month.",
    "Each nation names a single point of contact before the next phase begins.",
    "The plan is kept unless the reserve falls below ten days.",
)


def _pick(seed: str, options: Sequence[T]) -> T:
    return options[int.from_bytes(sha256(seed.encode()).digest()[:8]) % len(options)]


def _released_to(seed: str, own: str, recipients: str) -> list[str]:
    if recipients == "none":
        return []
    if recipients == "some":
        partners = (_pick(f"{seed} partner {n}", EVERYBODY) for n in range(_SOME))
        return sorted({own, HUB_CODE, *partners})
    return sorted({own, *_RECIPIENTS[recipients]})


def _label(seed: str, number: int) -> Label:
    if number <= len(CORNERSTONES):
        return CORNERSTONES[number - 1]
    level = _pick(f"{seed} level", _LEVELS)
    communities = _pick(f"{seed} communities", _COMMUNITIES[level])
    recipients = "fvey" if "FVEY" in communities else _pick(f"{seed} recipients", _SPREAD)
    day = date(2023, 1, 1) + timedelta(days=_pick(f"{seed} day", range(1000)))
    return Label(level, recipients, communities, day.isoformat())


def _text(seed: str, title: str) -> str:
    findings = [_pick(f"{seed} finding {n}", _FINDINGS[n::2]) for n in range(2)]
    return "\n\n".join((f"{title}.", *findings, _pick(f"{seed} measure", _MEASURES)))


def identifier(names: Names, number: int) -> str:
    """Return a document's id: `doc-fra-000001`."""
    return f"doc-{names.country.lower}-{number:06d}"


def document(names: Names, number: int) -> dict[str, Any]:
    """Return document `number` (from 1) of a country, in clear: its fields in `resources` and its `content` (text)."""
    code = names.country.code
    seed = f"{code} {number}"
    label = _label(seed, number)
    title = f"{_pick(f'{seed} kind', _KINDS)}: {_pick(f'{seed} topic', _TOPICS)}, {_pick(f'{seed} area', _AREAS)}"
    return {
        "_id": identifier(names, number),
        "resourceId": identifier(names, number),
        "title": title,
        "classification": label.classification,
        "originalClassification": national_clearances.national(code, label.classification),
        "originalCountry": code,
        "natoEquivalent": national_clearances.nato(label.classification),
        "releasabilityTo": _released_to(seed, code, label.recipients),
        "COI": list(label.communities),
        "coiOperator": "ALL",
        "creationDate": f"{label.created}T08:00:00Z",
        "contentType": "text/plain",
        "encrypted": True,
        "originRealm": names.realm,
        "instanceCode": code,
        "content": _text(seed, title),
    }


def documents(names: Names, count: int) -> list[dict[str, Any]]:
    """Return documents 1 to `count`; raises `ValueError` outside 1 to 5000."""
    if not 1 <= count <= LARGEST:
        raise ValueError(f"number of documents is {count}, expected 1 to {LARGEST}")
    return [document(names, number) for number in range(1, count + 1)]
