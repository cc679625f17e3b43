"""A country's place in its coalition: who it is, who its partners are and where, and whose signatures it relies on.

A spoke's follows from the coalition document. The hub's follows from the requests of the countries that it approves,
of which it makes the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from dive_infra.config import environment
from dive_infra.config.address import is_loopback
from dive_infra.config.countries import HUB, HUB_CODE, parse
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings
from dive_infra.membership import document, files, request
from dive_infra.membership.document import Agreement, Coalition, Member
from dive_infra.membership.enrolment import private_keys, request_of
from dive_infra.membership.fields import moment_text
from dive_infra.membership.key_rotation import counting, used
from dive_infra.membership.refusals import Malformed, MembershipError, NotEnrolled, RequestDiffers
from dive_infra.membership.request import Request, authority_key, fingerprint, names_in
from dive_infra.results.remedy import Remedy


@dataclass(frozen=True)
class Partner:
    """A country at the other end of a link; its keys verify its status and receive what is sealed to it."""

    names: Names
    deployer_key: str = ""
    sealing_key: str = ""


@dataclass(frozen=True)
class Place:
    """`coalition` is the document that a spoke relies on, and `member` its own entry; the hub has `requests` instead.

    `policy_keys`: whose signatures count here, country -> public key (PEM): the hub's, and at the hub those of all
    that it has not cut off.
    `agreements`: country -> what partners believe of its people at most; a country without one is not limited.
    `cut`: at the hub, the members that it has cut off, whose people others may accept. A place that a preview `assumes`
    knows no keys.
    `secrets`: those of the stack file, with the keys that others rely on (`key_rotation`); `pinned`: the coalition key
    that a spoke pins, while the document is signed with another one, too.
    """

    names: Names
    hub: Names
    partners: tuple[Partner, ...]
    policy_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    coalition: Coalition | None = None
    member: Member | None = None
    requests: Mapping[str, Request] = field(default_factory=dict[str, Request])
    cut: tuple[Names, ...] = ()
    agreements: Mapping[str, Agreement] = field(default_factory=dict[str, Agreement])
    secrets: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])
    pinned: str = ""

    @property
    def partner_names(self) -> tuple[Names, ...]:
        return tuple(partner.names for partner in self.partners)

    @property
    def ends(self) -> Mapping[str, str]:
        """Return when agreements end: this country or partner -> moment, of those whose agreement has an end."""
        linked = {n.country.code for n in (self.names, *self.partner_names)}
        agreed = {code: agreement.expires for code, agreement in self.agreements.items() if code in linked}
        return {code: moment_text(end) for code, end in agreed.items() if end}


def place_of(settings: Settings, now: datetime) -> Place:
    """Return the place of the country that a stack deploys; raises a `MembershipError`."""
    code, stack = settings.country, f"Pulumi.{settings.place.lower}.yaml"
    if missing := [c.name for c in enrolled(settings.is_hub) if c.name not in settings.secrets]:
        raise NotEnrolled(
            f"{stack} has no {', '.join(missing)}, so {code} has no request to be a member",
            Remedy.run(f"./dive new {code}"),
            expected="the keys of the country in its encrypted stack file",
        )
    return _at_the_hub(settings, now) if settings.is_hub else _at_a_spoke(settings, now)


def assumed(settings: Settings) -> Place:
    """Return the place that a preview assumes which may not read any key: partners at their computed addresses."""
    partners = tuple(Partner(names) for names in settings.linked)
    return Place(settings.names, settings.hub_names, partners, agreements=_stated(settings), secrets=settings.secrets)


def _at_the_hub(settings: Settings, now: datetime) -> Place:
    requests = {code: files.read_request(code) for code in (HUB_CODE, *settings.spokes)}
    same(requests[HUB_CODE], _own(settings, requests[HUB_CODE], now))
    _known_keys(requests)
    served = {code: request for code, request in requests.items() if code not in settings.cut}
    partners = [
        Partner(
            _reached(settings.names, names_in(request, settings.namespace)), request.deployer_key, request.sealing_key
        )
        for code, request in served.items()
        if code != HUB_CODE
    ]
    policy_keys = {code: request.policy_key for code, request in served.items()}
    cut = tuple(names_in(requests[code], settings.namespace) for code in settings.cut)
    agreements = _stated(settings)
    return Place(
        settings.names,
        settings.names,
        tuple(partners),
        policy_keys,
        requests=requests,
        cut=cut,
        agreements=agreements,
        secrets=_secrets(settings, requests[HUB_CODE]),
    )


def _at_a_spoke(settings: Settings, now: datetime) -> Place:
    code = settings.country
    if not settings.coalition_key:
        raise NotEnrolled(
            f"dive:coalitionKey of {code} is not set, so no coalition document can be relied on",
            Remedy.decide(
                f"compare the key with the hub's operator (pulumi stack output coalition_key -s {HUB.lower}), then: "
                f"pulumi config set dive:coalitionKey <key> -s {settings.place.lower}"
            ),
            expected="the public key of the coalition",
        )
    content = files.read_document(settings)
    coalition = document.read(content, settings.coalition_key, settings.namespace, now)
    files.keep(settings, content)
    member = coalition.member_of(_own(settings, coalition.members.get(code), now))
    partners = tuple(_partner(settings, coalition, one) for one in settings.declared if one not in settings.cut)
    policy_keys = {HUB_CODE: coalition.member(HUB_CODE).policy_key}
    agreements = {code: one.agreement for code, one in coalition.members.items() if one.agreement.limits}
    hub = _reached(settings.names, coalition.names(HUB_CODE))
    return Place(
        settings.names,
        hub,
        partners,
        policy_keys,
        coalition=coalition,
        member=member,
        agreements=agreements,
        secrets=_secrets(settings, member),
        pinned=settings.coalition_key if document.has_two_signatures(content) else "",
    )


def _own(settings: Settings, known: Request | Member | None, now: datetime) -> Request:
    """Return the request of this country, as far as its stack file has the keys that are `known`, of these."""
    return request_of(settings.names, counting(private_keys(settings), known), now)


def _secrets(settings: Settings, known: Request | Member) -> dict[str, SecretStr]:
    return {name: SecretStr(text) for name, text in used(private_keys(settings), known).items()}


def _partner(settings: Settings, coalition: Coalition, code: str) -> Partner:
    member = coalition.member(code)
    return Partner(_reached(settings.names, coalition.names(code)), member.deployer_key, member.sealing_key)


def _reached(own: Names, partner: Names) -> Names:
    """Return the names of a partner; raise `Malformed` for a loopback address other than this country's own."""
    if is_loopback(partner.published) and partner.published != own.published:
        code = partner.country.code
        raise Malformed(
            f"the address of {code} is {partner.published}, at which its own machine alone reaches it",
            Remedy.decide(
                f"the operator of {code} sets dive:address, runs ./dive new {code} and sends that file to the hub"
            ),
            expected=f"an address that {own.country.code} reaches, or {own.published} on the same machine",
        )
    return partner


def _stated(settings: Settings) -> dict[str, Agreement]:
    """Return the agreements that the hub's settings state, of those that limit anything."""
    stated = {code: Agreement(**one.model_dump(exclude_none=True)) for code, one in settings.agreements.items()}
    return {code: agreement for code, agreement in stated.items() if agreement.limits}


def _known_keys(requests: Mapping[str, Request]) -> None:
    """Raise `RequestDiffers` for a member's request with other keys than in the document that this hub issued last.

    Approval is of a country, by people who have compared its fingerprint: whoever can replace a file must not be able
    to replace a member. A request that the member's present deployer key has signed, too, is the member's own; keys
    that the document no longer names sign for no one. An older request brings retired keys back.
    """
    try:
        issued = document.latest(files.document_file().read_bytes())
    except (OSError, MembershipError):
        return  # nothing was issued yet, or the file was damaged, which the update repairs
    for code, asked in requests.items():
        member = issued.members.get(code)
        if member is None or code in environment.accepted_members():
            continue
        renewed = request.is_signed_by(files.content(code), member.deployer_key)
        if (found := fingerprint(asked)) != member.fingerprint and not renewed:
            raise RequestDiffers(
                f"members/{files.request_file(code).name} has the fingerprint {found}",
                _compare(code),
                expected=f"{member.fingerprint}, that of the member {code}",
            )
        if asked.created < member.requested:
            raise RequestDiffers(
                f"members/{files.request_file(code).name} is of {moment_text(asked.created)}",
                _compare(code),
                expected=f"the request of {moment_text(member.requested)}, which was taken up, or a later one",
            )


def _compare(code: str) -> Remedy:
    return Remedy.decide(
        f"compare the fingerprint with the operator of {code}; if the keys are new: "
        f"{environment.ACCEPT_MEMBERS}={code} pulumi up -s {HUB.lower}"
    )


def same(filed: Request, own: Request) -> None:
    """Raise `RequestDiffers` unless the request in the file is what the stack file says."""

    def compared(request: Request) -> dict[str, object]:
        return {**request.plain(), "signing_request": authority_key(request), "created": ""}

    found, wanted = compared(filed), compared(own)
    if off := [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]:
        raise RequestDiffers(
            f"the request of {own.country} differs from Pulumi.{parse(own.country).lower}.yaml in {', '.join(off)}",
            Remedy.run(f"./dive new {own.country}"),
            expected="a request made from the settings of today",
        )
