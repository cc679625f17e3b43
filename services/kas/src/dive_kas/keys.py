"""Document keys: unwrapped with the country's private key, wrapped again for one caller."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from os import urandom
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from dive_common.problems import bad_request
from dive_common.ztdf import IntegrityError, binding, policy_hash, session_key

_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def load_private_key(pem: str) -> RSAPrivateKey:
    """Return the country's key; raise `ValueError` if the PEM holds no RSA key."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("kas-key is not an RSA private key; expected one in PEM")
    return key


def public_half(private: RSAPrivateKey) -> str:
    """Return the public key (PEM)."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def unwrap(private: RSAPrivateKey, access: Mapping[str, Any], policy: Mapping[str, Any]) -> bytes:
    """Return the data key of a key access object; raise `IntegrityError` unless it is bound to this very policy."""
    try:
        key = private.decrypt(b64decode(access["wrappedKey"]), _OAEP)
        bound = access["policyBinding"]["hash"]
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError("the key was not wrapped for this key access service") from error
    if not hmac.compare_digest(binding(key, policy_hash(policy)), str(bound)):
        raise IntegrityError("the key is not bound to the policy of this document")
    return key


def rewrap(key: bytes, client_public_key: str, resource_id: str) -> dict[str, str]:
    """Wrap a key for an ephemeral X25519 public key (PEM); return `{sessionPublicKey, iv, wrappedKey}`."""
    try:
        peer = serialization.load_pem_public_key(client_public_key.encode())
    except ValueError as error:
        raise bad_request("clientPublicKey is not a PEM public key") from error
    if not isinstance(peer, X25519PublicKey):
        raise bad_request("clientPublicKey is not an X25519 public key")
    own, iv = X25519PrivateKey.generate(), urandom(12)
    public = own.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    wrapped = session_key(own, peer, resource_id).encrypt(iv, key, None)
    return {
        "sessionPublicKey": public.decode(),
        "iv": b64encode(iv).decode(),
        "wrappedKey": b64encode(wrapped).decode(),
    }
