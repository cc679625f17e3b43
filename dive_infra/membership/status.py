"""What a country publishes about itself, signed by its deployer: its state, its links, and a probe for each partner."""

from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import Field

from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY
from dive_infra.membership import keys, sealing, signed
from dive_infra.membership.fields import Moment, Part, check_clock, check_namespace, parsed
from dive_infra.membership.refusals import OtherCountry, Source
from dive_infra.membership.sealing import SealContext
from dive_infra.membership.signed import Format
from dive_infra.membership.zone import country_of
from dive_infra.results.remedy import Remedy

_PROBE = "probe"  # purpose of the sealed password
# As text: a partner may run a later version, and what it says remains readable.
_Word = Annotated[str, Field(pattern="^[A-Z_]{1,32}$")]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PublishedPhase(Part):
    """A phase of a country: `status` is one of `orchestration.states.Status`, `completed` is when it last was."""

    status: _Word
    completed: Moment | None


class ProbeLogin(NamedTuple):
    """The account of a probe person."""

    username: str
    password: str


class IssuedProbe(Part):
    """The person with whom a partner proves its link to this country; the password is sealed to the partner's key."""

    username: Annotated[str, Field(pattern="^[A-Za-z0-9._@-]{1,255}$")]
    password: Annotated[str, Field(max_length=4096)]

    @classmethod
    def sealed(cls, login: ProbeLogin, sender: str, recipient: str, key: str) -> "IssuedProbe":
        """Return the probe that `sender` issues to `recipient` (country codes), whose sealing key is `key`.

        Each call returns another text for the same password. Raises `CannotSeal`.
        """
        context = SealContext(sender, recipient, _PROBE)
        return cls(username=login.username, password=sealing.seal(login.password, key, context))


class RotationPosition(Part):
    """Where a country is while the coalition has two CAs, each as the SHA-256 of its certificate.

    `trusted` are those that all its services trust; `issuer` is the one from which all their certificates are.
    """

    trusted: tuple[_Digest, ...]
    issuer: _Digest


class PublishedStatus(Part):
    """The status of a country. `links` and `probes` have partners' codes as keys, `phases` those of `Phase`.

    `state` is one of `orchestration.states.State`; a link has the moment of its last proof by this country, or None.
    `rotation` is None while the coalition has one CA. `pinned` is the coalition key on which the country relies, while
    documents are signed with two.
    """

    country: str
    namespace: str
    issued: Moment
    state: _Word
    phases: dict[_Word, PublishedPhase]
    links: dict[str, Moment | None]
    probes: dict[str, IssuedProbe]
    rotation: Annotated[RotationPosition | None, LEFT_OUT_IF_EMPTY] = None
    pinned: Annotated[str, Field(max_length=64), LEFT_OUT_IF_EMPTY] = ""

    def probe(self, recipient: str, private: str) -> ProbeLogin | None:
        """Return the account that this country issued to `recipient`, whose sealing key is `private`, or both (PEM).

        None if it has issued none. Raises `CannotOpen`.
        """
        if not (probe := self.probes.get(recipient)):
            return None
        context = SealContext(self.country, recipient, _PROBE)
        return ProbeLogin(probe.username, sealing.unseal(probe.password, private, context))


def sign(status: PublishedStatus, deployer: str) -> bytes:
    """Return the content that a country publishes, signed with its deployer's key, or with both of two (PEM).

    Raises what `read` raises.
    """
    content = signed.sign(Format.STATUS, status.plain(), deployer)
    read(content, keys.public_text(deployer), status.country, status.namespace, status.issued)
    return content


def read(content: bytes, key: str, code: str, namespace: str, now: datetime) -> PublishedStatus:
    """Return the status of the country `code` of the coalition `namespace`, whose deployer signs with `key` (base64).

    How old it is says `issued`: an earlier status of the country is accepted. Raises a `MembershipError`: `Malformed`,
    `BadSignature`, `OtherCountry`, `OtherCoalition`, `NotYetValid` or `UnknownMember`.
    """
    source = Source(f"the status of {code}", Remedy.decide(f"ask {code} to publish its status again"))
    envelope = signed.read(content, Format.STATUS, source)
    signed.check(envelope, key, f"the deployer of {code}", source)
    status = parsed(PublishedStatus, envelope.payload, source)
    if status.country != code:
        raise OtherCountry(f"{source.name} is of {status.country[:80]!a}", source.remedy, expected=code)
    check_namespace(status.namespace, namespace, source)
    check_clock(status.issued, now, f"in {code}", source)
    for partner in (code, *status.links, *status.probes):
        country_of(partner, source)
    return status
