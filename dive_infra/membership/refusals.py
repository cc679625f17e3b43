"""Why a request, a coalition document, a status or a sealed text is refused: one exception for each reason."""

from dataclasses import dataclass

from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy


@dataclass(frozen=True)
class Source:
    """Where content is from: what messages call it, and what an operator does if it is refused."""

    name: str
    remedy: Remedy


class MembershipError(DiveError):
    """Something about membership is refused; the classes below say why."""


class Malformed(MembershipError, ValueError):
    """Not the format: not JSON in its written form, unknown or missing fields, wrong types, too large."""


class BadSignature(MembershipError):
    """Changed after it was signed, or signed with another key than the expected one."""


class UnknownMember(MembershipError):
    """A country code that is not in the table, such as one with look-alike letters."""


class OtherCountry(MembershipError):
    """The request or status of one country in the place of another's."""


class OutsideZone(MembershipError):
    """A zone that is not the country's, or an endpoint that is not HTTPS at its service's host."""


class BadCertificate(MembershipError):
    """A signing request or certificate that the country must not have, or that the coalition did not sign."""


class NotYetValid(MembershipError):
    """A document or status from the future: this machine's clock or the other's is wrong."""


class Expired(MembershipError):
    """A document after its end."""


class Rollback(MembershipError):
    """A document older than one that this country has seen, or a second one with the same serial."""


class OtherCoalition(MembershipError):
    """A document or status of another coalition than this country's."""


class NotAMember(MembershipError):
    """The document has no entry for the country."""


class RequestDiffers(MembershipError):
    """An entry of the document is not what the country requested."""


class CannotSeal(MembershipError):
    """The recipient's key can receive nothing."""


class CannotOpen(MembershipError):
    """A text that is not sealed to this key and context, or was changed."""


class Missing(MembershipError):
    """A request or document that is not where it should be."""


class NotEnrolled(MembershipError):
    """The country has no keys, or pins no coalition key."""
