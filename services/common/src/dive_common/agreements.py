"""What is believed of a partner's people, at most and until when: the agreement that the coalition has with it.

A person beyond it is not refused: it counts as cleared up to the agreement, and as member of the communities that the
agreement names. The country's own people are not limited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP_SECRET")  # lowest first
BEYOND = "beyondAgreement"  # the claim with what a token asserts and the agreement does not cover
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def listed(value: Any) -> list[Any]:
    """Return the values of a claim that may have none, one or several."""
    return value if isinstance(value, list) else [value] if value else []


@dataclass(frozen=True)
class Agreement:
    """`clearance` is the highest that is believed, `communities` are the only ones (None: all), `expires` the end."""

    clearance: str = LEVELS[-1]
    communities: tuple[str, ...] | None = None
    expires: datetime | None = None

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> "Agreement":
        """Return an agreement as `partners.json` has it; raise `KeyError`, `TypeError` or `ValueError`.

        Its `assurance` is not enforced yet.
        """
        clearance, communities, expires = row["clearance"], row["communities"], row["expires"]
        if clearance not in LEVELS:
            raise ValueError(f"the clearance {clearance!r} is not known")
        return cls(
            clearance,
            None if communities is None else tuple(map(str, communities)),
            None if expires is None else datetime.strptime(expires, _MOMENT).replace(tzinfo=UTC),
        )

    def ended(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires

    def believed(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the claims as far as the agreement covers them; the rest is in the claim `BEYOND`.

        Below the highest level, a clearance of no known level is not believed either: no one knows how high it is.
        """
        believed = {name: value for name, value in claims.items() if name != BEYOND}
        beyond: dict[str, Any] = {}
        covered = LEVELS[: LEVELS.index(self.clearance) + 1]
        asserted = claims.get("clearance")
        if asserted is not None and asserted not in covered and self.clearance != LEVELS[-1]:
            beyond["clearance"] = asserted
            del believed["clearance"]
            if asserted in LEVELS:
                believed["clearance"] = self.clearance
        held = listed(claims.get("acpCOI"))
        if self.communities is not None and (more := [one for one in held if one not in self.communities]):
            beyond["acpCOI"] = more
            believed["acpCOI"] = [one for one in held if one in self.communities]
        return {**believed, BEYOND: beyond} if beyond else believed
