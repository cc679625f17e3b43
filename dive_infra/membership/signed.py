"""Signed files: an object with `format`, `payload` and the `signature` over both.

The signature is Ed25519 over the format, a line feed and the payload as canonical JSON, so no signature is valid for
another format.
"""

from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
    """A signed file, whose signature is not yet checked."""

    format: str
    payload: dict[str, Any]
    signature: str


def sign(form: Format, payload: dict[str, Any], private: str) -> bytes:
    """Return the content of a file with `payload`, signed with an Ed25519 key (PEM)."""
    signature = keys.signing_key(private).sign(_message(form, payload))
    envelope = {"format": form.value, "payload": payload, "signature": keys.encoded(signature)}
    return canonical.text(envelope).encode()


def read(content: bytes, form: Format, source: Source) -> Envelope:
    """Return the envelope of a file of this format, unchecked; raises `Malformed`."""
    envelope = parsed(Envelope, canonical.read(content, source), source)
    if envelope.format != form:
        found = printable(envelope.format[:80])
        raise Malformed(f"{source.name} has the format {found}", source.remedy, expected=form.value)
    return envelope


def check(envelope: Envelope, public: str, signer: str, source: Source) -> None:
    """Raise `BadSignature` unless the key `public` (32 bytes in base64) of `signer` has signed the envelope."""
    try:
        key = Ed25519PublicKey.from_public_bytes(keys.public_bytes(public))
        key.verify(keys.decoded(envelope.signature), _message(envelope.format, envelope.payload))
    except (InvalidSignature, ValueError):
        raise BadSignature(
            f"{source.name} was changed after it was signed, or was signed with another key",
            source.remedy,
            expected=f"a signature by {signer} ({printable(public[:80])})",
        ) from None


def _message(form: str, payload: dict[str, Any]) -> bytes:
    return form.encode() + b"\n" + canonical.canonical(payload)
