"""The protected document: a policy, a payload bound to it, and a key that only the key access service can unwrap.

`ztdf` = {policy, policyHash, payload}, payload = {algorithm, iv, ciphertext, payloadHash, keyAccess}, where `keyAccess`
is a list of {kid, wrappedKey, policyBinding}. Binary values are base64. The policy is bound twice: AES-GCM
authenticates its hash with the payload, and `policyBinding` is an HMAC-SHA256 of that hash under the document's key.
Therefore neither can be exchanged alone.
"""

import hashlib
import hmac
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class IntegrityError(ValueError):
    """A document, key or policy has changed since it was sealed."""


def policy_hash(policy: Any) -> str:
    """Return the SHA-384 (hex) of the policy as canonical JSON."""
    text = json.dumps(policy, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha384(text.encode()).hexdigest()


def binding(key: bytes, digest: str) -> str:
    """Return the HMAC-SHA256 (hex) that ties a document key to the hash of its policy."""
    return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()


def open_payload(ztdf: Mapping[str, Any], key: bytes) -> bytes:
    """Return the document's content; raise `IntegrityError` if payload, policy and key do not belong together."""
    payload = ztdf["payload"]
    ciphertext = b64decode(payload["ciphertext"])
    if hashlib.sha384(ciphertext).hexdigest() != payload["payloadHash"]:
        raise IntegrityError("the payload does not match its hash")
    try:
        return AESGCM(key).decrypt(b64decode(payload["iv"]), ciphertext, policy_hash(ztdf["policy"]).encode())
    except (InvalidTag, ValueError) as error:
        raise IntegrityError("the payload cannot be decrypted with its key and policy") from error


def session_key(own: X25519PrivateKey, peer: X25519PublicKey, resource_id: str) -> AESGCM:
    """Return the cipher under which a key access service releases one document's key to one caller."""
    secret = own.exchange(peer)
    return AESGCM(HKDF(hashes.SHA256(), 32, None, f"dive rewrap {resource_id}".encode()).derive(secret))
