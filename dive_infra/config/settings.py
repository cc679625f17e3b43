"""The settings of one country: what a stack file may contain, checked before anything is touched.

The Pulumi program and `./dive` both read a stack's configuration (`dive:<key>`) here, and nowhere else. Everything
else about a country follows from its code (`naming`, `catalog`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from dive_infra.config.address import UNICAST, is_loopback, unpublishable
from dive_infra.config.clearances import LEVELS
from dive_infra.config.communities import COMMUNITIES
from dive_infra.config.countries import HUB, HUB_CODE, Country, UnknownCountry, parse
from dive_infra.config.credentials import PROBES, Credential, own, strong
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.naming import DEFAULT_NAMESPACE, LOOPBACK, SERVICES, Names
from dive_infra.crypto import pki
from dive_infra.results.errors import DiveError
from dive_infra.results.text import printable

PROJECT = "dive"

# What every file, URL and header accepts unescaped: printable ASCII without space, quotes and backslash.
_ACCEPTED = re.compile(r"[!#-&(-\[\]-~]*")
_WEAK = ("admin", "changeme", "password", "secret", "test", "default", "letmein", "123456")

# Settings of earlier versions -> what has taken their place.
_RETIRED = {
    "hub": f"the hub is known from the coalition document; remove the key, and name that in {PROJECT}:coalition",
    "partnerPorts": "where partners are, the coalition document says; remove the key",
}


class SettingsError(DiveError, ValueError):
    """A setting is wrong; the message lists every wrong key with its value and what was expected."""


Port = Annotated[int, Field(ge=1024, le=65535)]

# As an operator writes a moment, and as Pulumi passes on what YAML reads as one.
_MOMENTS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S +0000 UTC")


def _moment(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    for form in _MOMENTS:
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"{printable(value)} is not a moment; expected UTC, such as 2027-12-31T00:00:00Z")


def _clearance(value: str) -> str:
    _check_known(value, LEVELS)
    return value


def _community(value: str) -> str:
    _check_known(value, [community.id for community in COMMUNITIES])
    return value


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, alias_generator=AliasGenerator(alias=to_camel)
    )


class VerificationSettings(_Section):
    """`maxAge`: seconds after which VERIFICATION is proven again although it is still valid."""

    max_age: Annotated[int, Field(ge=0)] = 300


class AgreementSettings(_Section):
    """What partners believe of a country's people at most, and until when; what is not stated is not limited."""

    clearance: Annotated[str, AfterValidator(_clearance)] | None = None
    communities: tuple[Annotated[str, AfterValidator(_community)], ...] | None = None
    assurance: Annotated[int, Field(ge=1, le=3, strict=True)] | None = None
    expires: Annotated[datetime, BeforeValidator(_moment)] | None = None


class Settings(_Section):
    """The typed configuration of a stack; its keys there are these field names in camel case."""

    country: str
    namespace: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,15}$")] = DEFAULT_NAMESPACE
    domain: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$", max_length=200)] = ""
    address: str = ""
    spokes: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    agreements: dict[str, AgreementSettings] = {}
    authorities: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=2)] = (1,)
    coalition: Annotated[str, Field(min_length=1)] = "members/coalition.json"
    coalition_key: Annotated[str, Field(pattern=r"^([A-Za-z0-9+/]{43}=)?$")] = ""
    rules: str = ""
    engine: str = ""
    engine_certificates: str = ""
    images: dict[str, str] = {}
    ports: dict[str, Port] = {}
    disposable: bool = False
    test_users: bool = False
    documents: Annotated[int, Field(ge=10, le=5000)] = 200
    verification: VerificationSettings = VerificationSettings()
    secrets: dict[str, SecretStr] = {}

    @field_validator("address")
    @classmethod
    def _publishable(cls, found: str) -> str:
        """Return the address; empty for the one that an unset address means."""
        if flaw := unpublishable(found):
            raise ValueError(f"{found!r} {flaw}; expected {UNICAST}")
        return "" if found == LOOPBACK else found

    @model_validator(mode="after")
    def _coherent(self) -> "Settings":
        parse(self.country)
        self._check_address()
        self._check_partners()
        self._check_authorities()
        if wrong := self.engine_selection.flaw:
            raise ValueError(wrong)
        _known("images", self.images, SERVICES)
        _known("ports", self.ports, SERVICES)
        credentials = {c.name: c for c in own(self.is_hub)}
        probes = {c.name: c for c in PROBES.values()}  # also of a partner that has left
        _known("secrets", self.secrets.keys() - probes.keys(), list(credentials))
        taken: dict[int, str] = {}
        for service in SERVICES:
            port = self.names.port(service)
            if port in taken:
                raise ValueError(f"ports: {service} and {taken[port]} both have {port}")
            taken[port] = service
        for name, value in self.secrets.items():
            if flaw := flaw_of((credentials | probes)[name], value.get_secret_value()):
                raise ValueError(f"secrets.{name} {flaw}")
        return self

    def _check_address(self) -> None:
        zone = self.names.zone
        if self.address and not is_loopback(self.address) and zone.endswith(".localhost"):
            raise ValueError(
                f"address: {self.address} is on the network, and a browser looks for {zone} on its own machine; "
                "expected a domain that is not below .localhost, next: "
                f"pulumi config set {PROJECT}:domain <domain> -s {self.place.lower}"
            )

    def _check_partners(self) -> None:
        if self.spokes and self.country != HUB_CODE:
            raise ValueError(f"spokes: only the hub ({HUB_CODE}) approves countries, this is {self.country}")
        if self.partners and self.country == HUB_CODE:
            raise ValueError("partners: the hub is linked to its spokes alone, see dive:spokes")
        for key, codes in (("spokes", self.spokes), ("partners", self.partners)):
            if repeated := sorted(code for code, times in Counter(codes).items() if times > 1):
                raise ValueError(f"{key}: listed more than once: {', '.join(repeated)}")
            for code in codes:
                if parse(code).is_hub:
                    raise ValueError(f"{key}: {code} is the hub, to which every spoke is linked")
                if code == self.country:
                    raise ValueError(f"{key}: {code} is this country")
        for code in self.cut:
            if code not in self.declared:
                expected = f"expected one of {', '.join(self.declared) or 'no one'}"
                raise ValueError(f"cut: {code} is no partner of {self.country}; {expected}")
        if self.agreements and self.country != HUB_CODE:
            raise ValueError(f"agreements: only the hub ({HUB_CODE}) states agreements, this is {self.country}")
        _known("agreements", self.agreements, (HUB_CODE, *self.spokes))

    def _check_authorities(self) -> None:
        if self.authorities != (1,) and self.country != HUB_CODE:
            raise ValueError(f"authorities: only the hub ({HUB_CODE}) has the coalition's CA, this is {self.country}")
        if len(self.authorities) > 1 and abs(self.authorities[0] - self.authorities[1]) != 1:
            found = list(self.authorities)
            raise ValueError(f"authorities: found {found}, expected one number, or two that follow each other")

    @property
    def place(self) -> Country:
        return parse(self.country)

    @property
    def is_hub(self) -> bool:
        return self.place.is_hub

    @property
    def names(self) -> Names:
        return Names(self.place, self.namespace, self.domain, {self.country: self.ports}, self.address)

    @property
    def hub_names(self) -> Names:
        return self.names if self.is_hub else self.names.of(HUB)

    @property
    def engine_selection(self) -> EngineSelection:
        return EngineSelection(self.engine, self.engine_certificates)

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the codes of the partners: at the hub its spokes, at a spoke the hub and `partners`."""
        return self.spokes if self.is_hub else (HUB_CODE, *self.partners)

    @property
    def linked(self) -> list[Names]:
        """Return the countries this one is linked to: its partners without those that are cut off.

        At their computed addresses; where they are, the coalition document says (`membership.place`).
        """
        return [self.names.of(parse(code)) for code in self.declared if code not in self.cut]


_SECTIONS: dict[str, type[_Section]] = {"verification": VerificationSettings, "agreements": AgreementSettings}


def _known(key: str, found: Iterable[str], known: "tuple[str, ...] | list[str]") -> None:
    for name in found:
        _check_known(name, known, f"{key}.{name}")


def _check_known(name: str, known: "tuple[str, ...] | list[str]", shown: str = "") -> None:
    """Raise `ValueError`, with the nearest known name, for a `name` that is not `known`; messages call it `shown`."""
    if name not in known:
        raise ValueError(
            f"{printable(shown or name)} is not known{_nearest(name, list(known))}; expected one of {', '.join(known)}"
        )


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def flaw_of(credential: Credential, value: str) -> str | None:
    """Return why a given secret is refused and what is expected, without the value; None if it is accepted."""
    if wanted := pki.KEYS.get(credential.kind):
        held = pki.private_keys(value)
        if len(held) > (2 if credential.enrolled else 1):
            more = ", or two while it is being replaced" if credential.enrolled else ""
            return f"holds {len(held)} keys, expected one{more}"
        good = all(pki.is_key(key, credential.kind) for key in held)
        return None if good else f"is not {wanted} (PEM, no passphrase)"
    if not _ACCEPTED.fullmatch(value):
        return "has a character that is not accepted, expected printable ASCII without space, quotes and backslash"
    if len(value) < credential.minimum:
        return f"has {len(value)} characters, expected at least {credential.minimum}"
    if value.lower().startswith(_WEAK):
        return "starts with a well-known word, expected a random value"
    if credential.kind == "login" and not strong(value):
        return "does not meet the realm's password policy, expected upper and lower case, a digit and a special one"
    return None


def load(stack: str, configuration: Mapping[str, Any]) -> Settings:
    """Return the settings of `stack` from its configuration: `{"dive:<key>": value}`, values plain or JSON text.

    `dive:country` may be omitted if the stack is named after its country (`fra`). Keys of other namespaces belong to
    their providers. Raises `SettingsError` with one line for each wrong key.
    """
    prefix = f"{PROJECT}:"
    # The project file sets an empty text for a key that is not set.
    found = {k.removeprefix(prefix): _plain(v) for k, v in configuration.items() if k.startswith(prefix) and v != ""}
    found.setdefault("country", stack.upper())
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        lines = [_line(e) for e in error.errors(include_url=False)]
        raise SettingsError(
            f"stack {stack}: {len(lines)} wrong setting(s)\n  "
            + "\n  ".join(lines)
            + f"\nfix Pulumi.{stack}.yaml, or: "
            f"pulumi config set {prefix}<key> <value> -s {stack}"
        ) from None


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _line(error: Any) -> str:
    key = ".".join(map(printable, error["loc"]))
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, UnknownCountry):
        return f"{PROJECT}:{key or 'country'}: {cause}"
    if key in _RETIRED:
        return f"{PROJECT}:{key}: is not a setting any more: {_RETIRED[key]}"
    if error["type"] == "extra_forbidden":
        section = _SECTIONS.get(error["loc"][0], Settings) if len(error["loc"]) > 1 else Settings
        known = [to_camel(name) for name in section.model_fields]
        near = _nearest(str(error["loc"][-1]), known)
        return f"{PROJECT}:{key}: is not a setting{near}; expected one of {', '.join(known)}"
    if error["type"] == "value_error":
        return f"{PROJECT}:{key}: {cause}" if key else f"{PROJECT}:{cause}"
    found = "a secret" if key.startswith("secrets") else repr(error["input"])
    return f"{PROJECT}:{key}: found {found}, expected: {error['msg'][0].lower()}{error['msg'][1:]}"
