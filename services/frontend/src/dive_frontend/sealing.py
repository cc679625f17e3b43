"""Encryption of what leaves the portal's memory: cookies, and tokens at rest."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


class Seal:
    """Encrypts and authenticates small JSON objects with a key derived from the session secret."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(urlsafe_b64encode(hashlib.sha256(b"dive portal " + secret.encode()).digest()))

    def close(self, value: dict[str, Any]) -> str:
        return self._fernet.encrypt(json.dumps(value).encode()).decode()

    def open(self, text: str, max_age: int | None = None) -> dict[str, Any] | None:
        """Return the object, or None if another key sealed it or it is older than `max_age` seconds."""
        try:
            value: dict[str, Any] = json.loads(self._fernet.decrypt(text.encode(), ttl=max_age))
        except (InvalidToken, ValueError):
            return None
        return value
