"""Signed files: an object with `format`, `payload` and the `signature` over both.

The signature is Ed25519 over the format, a line feed and the payload as canonical JSON, so no signature is valid for
another format. While a key is being replaced, the file has a `countersignature` with the other key: a reader relies on
one of them, and accepts the file by either.
"""

from enum import StrEnum
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY
from dive_infra.crypto import pki
from dive_infra.membership import canonical, keys
from dive_infra.membership.fields import Part, parsed
from dive_infra.membership.refusals import BadSignature, Malformed, Source
from dive_infra.results.text import printable


class Format(StrEnum):
    """What a signed file holds; a new version of a payload is a new format."""

    REQUEST = "dive-request-v1"
    COALITION = "dive-coalition-v1"
    STATUS = "dive-status-v1"


class Envelope(Part):
    """A signed file, whose signatures are not yet checked."""

    format: str
    payload: dict[str, Any]
    signature: str
    countersignature: Annotated[str, Field(min_length=1), LEFT_OUT_IF_EMPTY] = ""


def sign(form: Format, payload: dict[str, Any], private: str) -> bytes:
    """Return the content of a file with `payload`, signed with an Ed25519 key, or with both of two (PEM)."""
    message = _message(form, payload)
    made = [keys.encoded(keys.signing_key(key).sign(message)) for key in pki.private_keys(private)]
    signatures = dict(zip(("signature", "countersignature"), made, strict=False))
    return canonical.text({"format": form.value, "payload": payload, **signatures}).encode()


def read(content: bytes, form: Format, source: Source) -> Envelope:
    """Return the envelope of a file of this format, unchecked; raises `Malformed`."""
    envelope = parsed(Envelope, canonical.read(content, source), source)
    if envelope.format != form:
        found = printable(envelope.format[:80])
        raise Malformed(f"{source.name} has the format {found}", source.remedy, expected=form.value)
    return envelope


def check(envelope: Envelope, public: str, signer: str, source: Source) -> None:
    """Raise `BadSignature` unless the key `public` (32 bytes in base64) of `signer` has signed the envelope."""
    if not is_signed_by(envelope, public):
        raise BadSignature(
            f"{source.name} was changed after it was signed, or was signed with another key",
            source.remedy,
            expected=f"a signature by {signer} ({printable(public[:80])})",
        )


def is_signed_by(envelope: Envelope, public: str) -> bool:
    """Return True if the key `public` (32 bytes in base64) has signed the envelope."""
    message = _message(envelope.format, envelope.payload)
    return any(_verified(made, public, message) for made in (envelope.signature, envelope.countersignature))


def _verified(signature: str, public: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(keys.public_bytes(public)).verify(keys.decoded(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(form: str, payload: dict[str, Any]) -> bytes:
    return form.encode() + b"\n" + canonical.canonical(payload)
