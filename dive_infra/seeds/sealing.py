"""Seal documents: AES-256-GCM with a fresh key and nonce each; the country's key access service can unwrap the key.

services/common reads this format (`ztdf.py` there specifies it). Only the public key is needed here.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import urandom
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
_LABEL = (
    "classification",
    "originalClassification",
    "originalCountry",
    "natoEquivalent",
    "releasabilityTo",
    "COI",
    "coiOperator",
)


def canonical(value: Any) -> bytes:
    """Return JSON without blanks, keys in order, UTF-8: equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(value: Any) -> str:
    """Return half a SHA-256 (32 hex digits) of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


@dataclass(frozen=True)
class KeyService:
    """The service that document keys are wrapped for: `public_key` is PEM (RSA), readers ask for keys at `url`."""

    id: str
    url: str
    public_key: str

    @cached_property
    def key(self) -> RSAPublicKey:
        key = serialization.load_pem_public_key(self.public_key.encode())
        if not isinstance(key, RSAPublicKey):
            raise ValueError(f"public key of {self.id} is not an RSA key")
        return key

    @cached_property
    def kid(self) -> str:
        """Return the key's name; documents sealed for another key are sealed again."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return hashlib.sha256(self.key.public_bytes(serialization.Encoding.DER, form)).hexdigest()[:16]


def seal(document: Mapping[str, Any], service: KeyService) -> dict[str, Any]:
    """Return the document as it is stored: `content` (text) has become `ztdf`."""
    policy = {
        "resourceId": document["_id"],
        "creationDate": document["creationDate"],
        "securityLabel": {name: document[name] for name in _LABEL},
    }
    digest = hashlib.sha384(canonical(policy)).hexdigest()
    key, nonce = AESGCM.generate_key(256), urandom(12)
    ciphertext = AESGCM(key).encrypt(nonce, document["content"].encode(), digest.encode())
    access = {
        "type": "wrapped",
        "algorithm": "RSA-OAEP-256",
        "kasId": service.id,
        "kasUrl": service.url,
        "kid": service.kid,
        "wrappedKey": _text(service.key.encrypt(key, _OAEP)),
        "policyBinding": {"algorithm": "HS256", "hash": hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()},
    }
    payload = {
        "algorithm": "AES-256-GCM",
        "iv": _text(nonce),
        "ciphertext": _text(ciphertext),
        "payloadHash": hashlib.sha384(ciphertext).hexdigest(),
        "keyAccess": [access],
    }
    clear = {name: value for name, value in document.items() if name != "content"}
    return {**clear, "ztdf": {"version": "1", "policy": policy, "policyHash": digest, "payload": payload}}


def _text(value: bytes) -> str:
    return b64encode(value).decode()
