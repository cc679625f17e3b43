"""The keys of a member and of the coalition: creating them, and the text of their public halves.

A deployer (and the coalition) signs with Ed25519, a country's CA with ECDSA on P-256, texts are sealed to X25519, and
policies and the tokens that ask for them are signed with RSA. Private keys are PEM (PKCS #8, no passphrase). The public
halves of Ed25519 and X25519 are 32 bytes in base64, one line that fits in a setting; that of RSA is PEM. That of a CA
is in its signing request and its certificate.
"""

import base64
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dive_infra.crypto import pki
from dive_infra.membership.canonical import canonical
from dive_infra.membership.refusals import Malformed

_PUBLIC_BYTES = 32
_GROUPS, _GROUP = 8, 4  # of hexadecimal digits: 128 bits


def new_signing_key() -> str:
    """Return a new key that signs requests (a deployer's) or documents (the coalition's)."""
    return pki.pem(Ed25519PrivateKey.generate())


def new_authority_key() -> str:
    """Return a new key of a country's CA."""
    return pki.pem(generate_private_key(SECP256R1()))


def new_sealing_key() -> str:
    """Return a new key that opens what is sealed to a country.

    It is a key of its own, which the signed request carries: a signing key that is used for a second purpose can be
    neither replaced nor kept in hardware on its own.
    """
    return pki.pem(X25519PrivateKey.generate())


def new_policy_key() -> str:
    """Return a new key that signs the tokens by which a country asks for policies, or at the hub the policies."""
    return pki.rsa_key()


def signing_key(pem: str) -> Ed25519PrivateKey:
    """Return the key in `pem`; raise `Malformed`, without quoting it, if it is of another kind."""
    key = _loaded(pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise _other_kind(key, "Ed25519")
    return key


def sealing_key(pem: str) -> X25519PrivateKey:
    """Return the key in `pem`; raise `Malformed`, without quoting it, if it is of another kind."""
    key = _loaded(pem)
    if not isinstance(key, X25519PrivateKey):
        raise _other_kind(key, "X25519")
    return key


def public_text(pem: str) -> str:
    """Return the public half of a private key as it is in a file; raise `Malformed` for other kinds of key."""
    key = _loaded(pem)
    if isinstance(key, RSAPrivateKey):
        return pki.public_key(pem)
    if not isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
        raise _other_kind(key, "Ed25519, X25519 or RSA")
    return encoded(key.public_key().public_bytes_raw())


def authority_key(pem: str) -> bytes:
    """Return the public half (DER) of the key of a country's CA."""
    return _loaded(pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(country: str, authority: bytes, deployer: str, sealing: str) -> str:
    """Return what two people compare aloud: 128 bits of SHA-256 in eight groups of four hexadecimal digits.

    It covers the country and the three keys that say who it is: its CA's (DER), its deployer's and its sealing key.
    """
    compared = {"authority": encoded(authority), "country": country, "deployer": deployer, "sealing": sealing}
    digits = sha256(canonical(compared)).hexdigest()
    return " ".join(digits[n * _GROUP : (n + 1) * _GROUP] for n in range(_GROUPS))


def encoded(content: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(content).decode()


def decoded(content: str) -> bytes:
    """Return the bytes that `encoded` gives this text for; raise ValueError for any other text."""
    found = base64.b64decode(content, validate=True)
    if encoded(found) != content:  # the last character may hold bits that decoding drops
        raise ValueError("not in its one form")
    return found


def public_bytes(content: str) -> bytes:
    """Return the 32 bytes of a public key; raise ValueError for a text that is none."""
    found = decoded(content)
    if len(found) != _PUBLIC_BYTES:
        raise ValueError(f"{len(found)} bytes")
    return found


def _loaded(pem: str) -> PrivateKeyTypes:
    try:
        return pki.private_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Malformed("a private key cannot be read", expected="PEM without a passphrase") from None


def _other_kind(key: PrivateKeyTypes, expected: str) -> Malformed:
    return Malformed(f"a private key is of another kind ({type(key).__name__})", expected=expected)
