"""A country's place in its coalition: who it is, who its partners are and where, and whose signatures it relies on.

A spoke's follows from the coalition document. The hub's follows from the requests of the countries that it approves,
of which it makes the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dive_infra.config.countries import HUB, HUB_CODE, parse
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings
from dive_infra.membership import document, files
from dive_infra.membership.document import Coalition, Member
from dive_infra.membership.enrolment import private_keys, request_of
from dive_infra.membership.refusals import NotEnrolled, RequestDiffers
from dive_infra.membership.request import Request, authority_key, names_in
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

    `policy_keys`: whose signatures count here, country -> public key (PEM): the hub's, and at the hub those of all.
    A place that a preview `assumes` knows no keys.
    """

    names: Names
    hub: Names
    partners: tuple[Partner, ...]
    policy_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    coalition: Coalition | None = None
    member: Member | None = None
    requests: Mapping[str, Request] = field(default_factory=dict[str, Request])

    @property
    def assumed(self) -> bool:
        return not self.policy_keys

    @property
    def partner_names(self) -> tuple[Names, ...]:
        return tuple(partner.names for partner in self.partners)


def place_of(settings: Settings, now: datetime) -> Place:
    """Return the place of the country that a stack deploys; raises a `MembershipError`."""
    code, stack = settings.country, f"Pulumi.{settings.place.lower}.yaml"
    if missing := [c.name for c in enrolled(settings.is_hub) if c.name not in settings.secrets]:
        raise NotEnrolled(
            f"{stack} has no {', '.join(missing)}, so {code} has no request to be a member",
            Remedy.run(f"./dive new {code}"),
            expected="the keys of the country in its encrypted stack file",
        )
    own = request_of(settings.names, private_keys(settings), now)
    return _at_the_hub(settings, own) if settings.is_hub else _at_a_spoke(settings, own, now)


def assumed(settings: Settings) -> Place:
    """Return the place that a preview assumes which may not read any key: partners at their computed addresses."""
    return Place(settings.names, settings.hub_names, tuple(Partner(names) for names in settings.partners))


def _at_the_hub(settings: Settings, own: Request) -> Place:
    requests = {code: files.read_request(code) for code in (HUB_CODE, *settings.spokes)}
    same(requests[HUB_CODE], own)
    partners = [
        Partner(names_in(request, settings.namespace), request.deployer_key, request.sealing_key)
        for code, request in requests.items()
        if code != HUB_CODE
    ]
    policy_keys = {code: request.policy_key for code, request in requests.items()}
    return Place(settings.names, settings.names, tuple(partners), policy_keys, requests=requests)


def _at_a_spoke(settings: Settings, own: Request, now: datetime) -> Place:
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
    coalition = document.read(files.read_document(settings), settings.coalition_key, settings.namespace, now)
    member = coalition.member_of(own, now)
    hub = coalition.member(HUB_CODE, now)
    partner = Partner(coalition.names(HUB_CODE, now), hub.deployer_key, hub.sealing_key)
    return Place(
        settings.names, partner.names, (partner,), {HUB_CODE: hub.policy_key}, coalition=coalition, member=member
    )


def same(filed: Request, own: Request) -> None:
    """Raise `RequestDiffers` unless the request in the file is what the stack file says."""

    def compared(request: Request) -> dict[str, object]:
        return {**request.plain(), "signing_request": authority_key(request), "created": ""}

    wanted = compared(own)
    if off := [name for name, found in compared(filed).items() if found != wanted[name]]:
        raise RequestDiffers(
            f"the request of {own.country} differs from Pulumi.{parse(own.country).lower}.yaml in {', '.join(off)}",
            Remedy.run(f"./dive new {own.country}"),
            expected="a request made from the settings of today",
        )
