"""The types of the fields of all files, and the reader that turns a payload into its model."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from dive_infra.config.address import UNICAST, unpublishable
from dive_infra.config.clearances import LEVELS
from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY
from dive_infra.config.naming import LOOPBACK, SERVICES
from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.canonical import canonical
from dive_infra.membership.refusals import Malformed, NotYetValid, OtherCoalition, Source
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import printable

_FILE = "file"  # validation context of content that was read
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_SKEW = timedelta(minutes=5)  # clocks of the coalition's hosts may differ a little
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class Part(BaseModel):
    """A part of a file: there every field is required, of exactly its type, and no other is accepted.

    Only a later field is missing while it is empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        """Refuse a part of a file that leaves out a field; only code may rely on a default."""
        required = {name for name, field in type(self).model_fields.items() if not field.exclude_if}
        missing = sorted(required - self.model_fields_set)
        if missing and info.context == _FILE:
            raise ValueError(f"the field {missing[0]} is missing")
        return self

    def plain(self) -> dict[str, Any]:
        """Return the part as it is in a file."""
        return self.model_dump(mode="json")


_Model = TypeVar("_Model", bound=Part)


def parsed(model: type[_Model], payload: Mapping[str, Any], source: Source) -> _Model:
    """Return the payload of a file as its model; raise `Malformed` with one line for each wrong field."""
    try:
        return model.model_validate_json(canonical(payload), context=_FILE)
    except ValidationError as error:
        lines = [f"  {_line(wrong)}" for wrong in error.errors(include_url=False)]
        raise Malformed("\n".join([f"{source.name} has {len(lines)} wrong field(s)", *lines]), source.remedy) from None


def _line(wrong: Any) -> str:
    field = ".".join(map(printable, wrong["loc"]))
    own = wrong.get("ctx", {}).get("error")
    return f"{field}: {own or wrong['msg'][0].lower() + wrong['msg'][1:]}"


def moment_text(moment: datetime) -> str:
    """Return a moment as in a file: UTC, whole seconds, `2026-11-24T12:00:05Z`."""
    return f"{moment.astimezone(UTC):{_MOMENT}}"


def check_namespace(found: str, wanted: str, source: Source) -> None:
    """Raise `OtherCoalition` unless content is of the coalition `wanted`."""
    if found != wanted:
        raise OtherCoalition(f"{source.name} is of the coalition {found!a}", source.remedy, expected=wanted)


def check_clock(issued: datetime, now: datetime, there: str, source: Source) -> None:
    """Raise `NotYetValid` for content that was issued more than 5 minutes in the future; `there` is where."""
    if now < issued - _SKEW:
        raise NotYetValid(
            f"{source.name} was issued at {moment_text(issued)}, and the clock here says {moment_text(now)}",
            Remedy.run("timedatectl set-ntp true"),
            expected=f"clocks that agree within 5 minutes, here and {there}",
        )


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = datetime.strptime(value, _MOMENT).replace(tzinfo=UTC)
    if moment_text(found) != value:
        raise ValueError(f"{printable(value)} is not a moment such as 2026-11-24T12:00:05Z")
    return found


def _whole_seconds(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).replace(microsecond=0)


def _key(value: str) -> str:
    try:
        keys.public_bytes(value)
    except ValueError:
        raise ValueError(f"{printable(value[:80])} is not a public key: expected 32 bytes in base64") from None
    return value


def _rsa_key(value: str) -> str:
    if not pki.is_rsa_public_key(value):
        raise ValueError(f"{printable(value[:80])} is not a public key: expected RSA of at least 2048 bits, one PEM")
    return value


def _services(endpoints: dict[str, str]) -> dict[str, str]:
    for service in endpoints:
        if service not in SERVICES:
            raise ValueError(f"{printable(service)} is not a service: expected one of {', '.join(SERVICES)}")
    return endpoints


def _address(value: str, info: ValidationInfo) -> str:
    """Accept where a country is published; in a file, one form of each: the field is left out for 127.0.0.1."""
    if not value and info.context != _FILE:
        return value
    if flaw := "is what a file without this field says" if value == LOOPBACK else unpublishable(value):
        raise ValueError(f"{printable(value[:80])!r} {flaw}; expected {UNICAST}, or no address for {LOOPBACK}")
    return value


def _level(value: str) -> str:
    if value not in LEVELS:
        raise ValueError(f"{printable(value)} is not a clearance: expected one of {', '.join(LEVELS)}")
    return value


# UTC and whole seconds: what is more precise is cut off.
Moment = Annotated[
    datetime, BeforeValidator(_moment), AfterValidator(_whole_seconds), PlainSerializer(moment_text, when_used="json")
]
PublicKey = Annotated[str, AfterValidator(_key)]
PolicyKey = Annotated[str, Field(max_length=4096), AfterValidator(_rsa_key)]
Zone = Annotated[str, Field(pattern=rf"^({_LABEL}\.)+{_LABEL}$", max_length=220)]
Address = Annotated[str, AfterValidator(_address), LEFT_OUT_IF_EMPTY]  # with the default ""
Endpoints = Annotated[dict[str, str], Field(min_length=1), AfterValidator(_services)]  # service -> URL
Clearance = Annotated[str, AfterValidator(_level)]
