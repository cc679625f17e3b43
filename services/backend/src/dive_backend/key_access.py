"""Client of the key access service, which releases document keys to the bearer of a token."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import httpx
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from dive_common.problems import forbidden, unavailable
from dive_common.ztdf import session_key


class KeyAccessClient:
    """The country's key access service (`POST /rewrap`)."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def release(self, document: Mapping[str, Any], token: str, request_id: str) -> bytes:
        """Return the data key of a document, released under a key made for this request.

        Raise `HttpProblem` 403 with the service's reason if it refuses, 503 if it is unavailable.
        """
        own = X25519PrivateKey.generate()
        public = own.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        question = {
            "resourceId": document["_id"],
            "keyAccess": document["ztdf"]["payload"]["keyAccess"][0],
            "clientPublicKey": public.decode(),
        }
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": request_id}
        try:
            response = self._http.post(f"{self._url}/rewrap", json=question, headers=headers)
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("key access service", error) from error
        if response.status_code == 403:
            raise forbidden(str(body["reason"]), {"source": "kas", **body.get("details", {})})
        if response.status_code != 200:
            raise unavailable("key access service", f"HTTP {response.status_code}: {body.get('reason')}")
        return _unwrap(own, body, document["_id"])

    def ping(self) -> None:
        """Raise `httpx.HTTPError` if the service is down."""
        self._http.get(f"{self._url}/health", timeout=2.0).raise_for_status()


def _unwrap(own: X25519PrivateKey, body: Mapping[str, Any], resource_id: str) -> bytes:
    try:
        peer = serialization.load_pem_public_key(body["sessionPublicKey"].encode())
        if not isinstance(peer, X25519PublicKey):
            raise ValueError("the session key is not an X25519 public key")
        cipher = session_key(own, peer, resource_id)
        return cipher.decrypt(b64decode(body["iv"]), b64decode(body["wrappedKey"]), None)
    except (KeyError, ValueError, InvalidTag) as error:
        raise unavailable("key access service", "its answer cannot be decrypted") from error
