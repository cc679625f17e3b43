"""The coalition document: who is a member, where, by which CA and agreement; signed by the coalition."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, NamedTuple

from cryptography import x509
from pydantic import Field

from dive_infra.config.clearances import LEVELS
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.membership import authority, keys, signed
from dive_infra.membership.canonical import canonical
from dive_infra.membership.fields import (
    Address,
    Clearance,
    Endpoints,
    Moment,
    Part,
    PolicyKey,
    PublicKey,
    Zone,
    check_clock,
    check_namespace,
    moment_text,
    parsed,
)
from dive_infra.membership.refusals import (
    Expired,
    Malformed,
    NotAMember,
    OutsideZone,
    RequestDiffers,
    Rollback,
    Source,
)
from dive_infra.membership.request import Request, authority_key, fingerprint
from dive_infra.membership.signed import Format
from dive_infra.membership.zone import checked_names, country_of
from dive_infra.results.codes import Code
from dive_infra.results.remedy import UP, Remedy

_FETCH = Remedy.decide(
    "get the document from the hub again, byte for byte",
    "compare the coalition key that this country pins with the hub's",
)
_DOCUMENT = Source("the coalition document", _FETCH)
_ISSUE = Remedy.update(HUB_CODE, "issues a new document")


class Agreement(Part):
    """What partners believe of a country's people, at most, and until when; at home they are not limited.

    `clearance` is one of `config.clearances.LEVELS`, `communities` are ids of communities of interest (None: all),
    `assurance` is the level of authentication, 1 to 3 (NIST SP 800-63B), and `expires` its end (None: no end). The
    defaults limit nothing: they are what a hub that states no agreement gives. The services of each partner enforce
    all but `assurance`, by which nothing decides yet.
    """

    clearance: Clearance = LEVELS[-1]
    communities: tuple[Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,64}$")], ...] | None = None
    assurance: Annotated[int, Field(ge=1, le=3)] = 3
    expires: Moment | None = None

    @property
    def limits(self) -> bool:
        """Return True if it states anything."""
        return self != Agreement()


class Member(Part):
    """A member's entry, made from the request that was created at `requested` and has this `fingerprint`.

    `certificate` is the CA certificate (PEM) that the coalition signed for it; the rest is as in the request.
    """

    zone: Zone
    endpoints: Endpoints
    certificate: str
    agreement: Agreement
    deployer_key: PublicKey
    sealing_key: PublicKey
    policy_key: PolicyKey
    fingerprint: Annotated[str, Field(pattern="^([0-9a-f]{4} ){7}[0-9a-f]{4}$")]
    requested: Moment
    address: Address = ""

    @classmethod
    def of(cls, request: Request, certificate: str, agreement: Agreement) -> "Member":
        """Return the entry of the country that made a request."""
        return cls(
            zone=request.zone,
            endpoints=request.endpoints,
            certificate=certificate,
            agreement=agreement,
            deployer_key=request.deployer_key,
            sealing_key=request.sealing_key,
            policy_key=request.policy_key,
            fingerprint=fingerprint(request),
            requested=request.created,
            address=request.address,
        )

    def authority_key(self) -> bytes:
        """Return the public key of the country's CA (DER)."""
        return authority.public_der(x509.load_pem_x509_certificate(self.certificate.encode()).public_key())


class Coalition(Part):
    """The document. `serial` grows with each one; `authorities` are CA certificates (PEM), two during a rotation."""

    serial: Annotated[int, Field(ge=1, lt=2**53)]
    namespace: str
    issued: Moment
    expires: Moment
    authorities: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    members: dict[str, Member]

    def member(self, code: str) -> Member:
        """Return the entry of a country; raises `NotAMember`.

        Its agreement may have ended: that concerns its people alone, whom the services of its partners refuse then.
        """
        member = self.members.get(code)
        if not member:
            raise NotAMember(
                f"{self} has no entry for {code}",
                Remedy.update(HUB_CODE, f"add {code} to dive:spokes of the hub, then: {UP}"),
                Code.NOT_APPROVED,
                expected=f"one of {', '.join(sorted(self.members)) or 'no one'}",
            )
        return member

    def member_of(self, request: Request) -> Member:
        """Return the entry of the country that made a request, if it is what was requested.

        Raises what `member` raises, and `RequestDiffers` for another zone, address, endpoint or key.
        """
        member = self.member(request.country)
        services = sorted(member.endpoints.keys() | request.endpoints.keys())
        compared = [
            ("zone", member.zone, request.zone),
            ("address", member.address or LOOPBACK, request.address or LOOPBACK),
            *((f"endpoint {s}", member.endpoints.get(s, "none"), request.endpoints.get(s, "none")) for s in services),
            ("CA key", sha256(member.authority_key()).hexdigest(), sha256(authority_key(request)).hexdigest()),
            ("deployer key", member.deployer_key, request.deployer_key),
            ("sealing key", member.sealing_key, request.sealing_key),
            ("policy key", _digest(member.policy_key), _digest(request.policy_key)),
            ("fingerprint", member.fingerprint, fingerprint(request)),
        ]
        for what, found, wanted in compared:
            if found != wanted:
                raise RequestDiffers(
                    f"{self} has for {request.country} the {what} {found}",
                    _taken_up(request, member),
                    expected=f"{wanted}, as in the request of {moment_text(request.created)}",
                )
        return member

    def names(self, code: str) -> Names:
        """Return the names of a member, whose URLs are the endpoints of its entry; raises what `member` raises."""
        return names_of(code, self.member(code), self.namespace)

    def __str__(self) -> str:
        return f"the coalition document {self.serial}"


class Seen(NamedTuple):
    """A document that was accepted: its serial, and the SHA-256 of its payload as hexadecimal digits."""

    serial: int
    digest: str

    @classmethod
    def of(cls, coalition: Coalition) -> "Seen":
        return cls(coalition.serial, sha256(canonical(coalition.plain())).hexdigest())


def names_of(code: str, member: Member, namespace: str) -> Names:
    """Return the names of a member of the coalition `namespace`, whose URLs are the endpoints of its entry.

    Raises `UnknownMember`, `OutsideZone` or `Malformed` for an entry that no accepted document has.
    """
    source = Source(f"the entry of {code}", _FETCH)
    return checked_names(country_of(code, source), member.zone, member.endpoints, source, namespace, member.address)


def issue(
    previous: Coalition | None,
    namespace: str,
    authorities: Sequence[str],
    members: Mapping[str, Member],
    now: datetime,
    lifetime: timedelta,
) -> Coalition:
    """Return the next document: valid from `now` for `lifetime`.

    Its serial is higher than that of `previous`, and at least the seconds since 1970: a hub that has lost its state
    issues documents that members accept.
    """
    return Coalition(
        serial=max(previous.serial + 1 if previous else 1, int(now.timestamp())),
        namespace=namespace,
        issued=now,
        expires=now + lifetime,
        authorities=tuple(authorities),
        members=dict(members),
    )


def sign(coalition: Coalition, private: str) -> bytes:
    """Return the document's content, signed with the coalition's key, or with both of two (PEM).

    Raises what `read` raises.
    """
    content = signed.sign(Format.COALITION, coalition.plain(), private)
    read(content, keys.public_text(private), coalition.namespace, coalition.issued, name=str(coalition))
    return content


def read(
    content: bytes,
    key: str,
    namespace: str,
    now: datetime,
    last: Seen | None = None,
    name: str = _DOCUMENT.name,
) -> Coalition:
    """Return the document in `content`, which messages call `name`, if it may be relied on at `now`.

    `key` (32 bytes in base64) and `namespace` are what the country pins, `last` is the last document that it accepted.
    Nothing in a document is looked at before its signature is proven. Raises a `MembershipError`: `Malformed`,
    `BadSignature`, `OtherCoalition`, `Rollback`, `NotYetValid`, `Expired`, `UnknownMember`, `OutsideZone` or
    `BadCertificate`.
    """
    source = Source(name, _FETCH)
    envelope = signed.read(content, Format.COALITION, source)
    signed.check(envelope, key, "the coalition key", source)
    coalition = parsed(Coalition, envelope.payload, source)
    check_namespace(coalition.namespace, namespace, source)
    if last:
        check_order(Seen.of(coalition), last, source)
    _check_times(coalition, now, source)
    _check_members(coalition, source)
    return coalition


def latest(content: bytes) -> Coalition:
    """Return the document that this hub issued itself, without a check of its times."""
    return parsed(Coalition, signed.read(content, Format.COALITION, _DOCUMENT).payload, _DOCUMENT)


def has_two_signatures(content: bytes) -> bool:
    """Return True if the coalition key is being replaced: the document is signed with its successor, too."""
    return bool(signed.read(content, Format.COALITION, _DOCUMENT).countersignature)


def check_order(found: Seen, last: Seen, source: Source = _DOCUMENT) -> None:
    """Raise `Rollback` for a document that is older than the last one that was accepted, or another of its serial."""
    if found.serial < last.serial:
        raise Rollback(
            f"{source.name} has the serial {found.serial}, older than the last one that was accepted",
            source.remedy,
            expected=f"{last.serial} or higher",
        )
    if found.serial == last.serial and found.digest != last.digest:
        raise Rollback(
            f"{source.name} is another document with the serial {found.serial} ({found.digest[:16]})",
            _ISSUE,
            expected=f"the one that was accepted ({last.digest[:16]}), or a higher serial",
        )


def _check_times(coalition: Coalition, now: datetime, source: Source) -> None:
    issued, expires = moment_text(coalition.issued), moment_text(coalition.expires)
    if coalition.expires <= coalition.issued:
        raise Malformed(f"{source.name} expires at {expires}", source.remedy, expected=f"a time after {issued}")
    check_clock(coalition.issued, now, "at the hub", source)
    if now >= coalition.expires:
        raise Expired(
            f"{source.name} expired at {expires}", _ISSUE, expected=f"a document that is valid at {moment_text(now)}"
        )


def _check_members(coalition: Coalition, source: Source) -> None:
    for certificate in coalition.authorities:
        authority.check_coalition_ca(certificate, source)
    for code, member in coalition.members.items():
        checked_names(country_of(code, source), member.zone, member.endpoints, source)
        authority.check_certificate(
            member.certificate, code, member.zone, coalition.authorities, source, member.address
        )
        _check_fingerprint(code, member, source)
        for other in coalition.members.values():
            if member.zone.endswith(f".{other.zone}"):  # the other's CA could sign for it
                raise OutsideZone(
                    f"{source.name}: the zone of {code} is {member.zone}",
                    source.remedy,
                    expected=f"a zone that is not below {other.zone}",
                )


def _check_fingerprint(code: str, member: Member, source: Source) -> None:
    """Check that people who compare the fingerprint compare the keys of the entry."""
    own = keys.fingerprint(code, member.authority_key(), member.deployer_key, member.sealing_key)
    if member.fingerprint != own:
        raise Malformed(
            f"{source.name} has for {code} the fingerprint {member.fingerprint}",
            source.remedy,
            expected=f"{own}, that of the keys in its entry",
        )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _taken_up(request: Request, member: Member) -> Remedy:
    """Return what brings request and entry together again."""
    if request.created > member.requested:
        return Remedy.update(HUB_CODE, f"approve the newer request there, then: {UP}")
    return Remedy.decide(
        f"create and sign a new request of {request.country} with what has changed, and have the hub approve it"
    )
