"""Sealing a short text to one country: HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.

Anyone can seal to a public key: who sealed a text follows from the signed document that holds it.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.membership.canonical import canonical
from dive_infra.membership.refusals import CannotOpen, CannotSeal
from dive_infra.results.remedy import Remedy

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
_FORMAT = b"dive-seal-v1\n"


@dataclass(frozen=True)
class SealContext:
    """From whom, to whom (country codes) and what for: a sealed text opens in the same context only."""

    sender: str
    recipient: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.purpose} from {self.sender} to {self.recipient}"


def seal(text: str, public: str, context: SealContext) -> str:
    """Return `text` sealed to a public key (32 bytes in base64), in base64; raises `CannotSeal` for an unusable key."""
    try:
        key = X25519PublicKey.from_public_bytes(keys.public_bytes(public))
        sealed = _SUITE.encrypt(text.encode(), key, _info(context))
    except ValueError:  # not a key, or a point of low order, with which everyone could open it
        raise CannotSeal(
            f"nothing can be sealed to the key {public[:80]!a} of {context.recipient}",
            Remedy.decide(f"ask {context.recipient} for a new request"),
            expected="an X25519 public key, 32 bytes in base64",
        ) from None
    return keys.encoded(sealed)


def unseal(sealed: str, private: str, context: SealContext) -> str:
    """Return the text that was sealed to this key, or to one of two (PEM), in this context; raises `CannotOpen`."""
    for key in map(keys.sealing_key, pki.private_keys(private)):
        with suppress(InvalidTag, ValueError):
            return _SUITE.decrypt(keys.decoded(sealed), key, _info(context)).decode()
    raise CannotOpen(
        f"cannot open the {context}: it was changed, or sealed to another key or for another use",
        Remedy.decide(f"ask {context.sender} to seal it again to the key in the request of {context.recipient}"),
        expected="a text sealed to this country's key",
    )


def _info(context: SealContext) -> bytes:
    return _FORMAT + canonical(asdict(context))
