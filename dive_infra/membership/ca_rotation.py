"""A rotation of the coalition's CA: its steps, and which of them a country is ready for.

The coalition's CAs are numbered. Settings list the numbers of those that are trusted, of which the first one signs:
[1], then [1, 2], [2, 1] and [2]. Each step needs what every country has taken up since the step before, and no more:
whoever trusts both CAs accepts any country, whichever of the two its certificates are from.
"""

from collections.abc import Sequence
from enum import StrEnum

from dive_infra.config.countries import HUB_CODE
from dive_infra.crypto import pki
from dive_infra.membership import authority
from dive_infra.membership.document import Coalition
from dive_infra.membership.status import RotationPosition


class Step(StrEnum):
    """A step of a rotation; each is one run of `./dive rotate-ca` with the option of that name."""

    BEGIN = "begin"  # a second CA is trusted beside the first
    CONTINUE = "continue"  # it signs instead of the first
    FINISH = "finish"  # the first one is trusted no more


def following(numbers: Sequence[int]) -> tuple[Step, tuple[int, ...]]:
    """Return the next step, and the numbers of the coalition's CAs after it."""
    signs, *others = numbers
    if not others:
        return Step.BEGIN, (signs, signs + 1)
    [other] = others
    return (Step.CONTINUE, (other, signs)) if other > signs else (Step.FINISH, (signs,))


def next_step(coalition: Coalition) -> Step:
    """Return the step after the last one that a document of the hub has carried out; it names the older CA first."""
    if len(coalition.authorities) == 1:
        return Step.BEGIN
    signs = authority.issuer_of(coalition.members[HUB_CODE].certificate, coalition.authorities)
    return Step.CONTINUE if signs == coalition.authorities[0] else Step.FINISH


def position(ca: str, certificate: str) -> RotationPosition | None:
    """Return where a country is that trusts `ca` (PEM of all) and has this CA certificate (PEM; none: no rotation)."""
    if not certificate:
        return None
    trusted = pki.certificates(ca)
    issuer = authority.issuer_of(certificate, trusted)
    return RotationPosition(trusted=tuple(map(pki.digest, trusted)), issuer=pki.digest(issuer))


def unready(found: RotationPosition | None, coalition: Coalition) -> str:
    """Return why a country is not ready for the next step, as words that follow its code; empty if it is."""
    new = pki.digest(coalition.authorities[-1])
    if found is None or new not in found.trusted:
        return "does not trust the new CA yet"
    if next_step(coalition) is Step.FINISH and found.issuer != new:
        return "still has certificates of the old CA"
    return ""
