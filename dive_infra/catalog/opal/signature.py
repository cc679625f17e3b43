"""The hub's signature of its policies and data, in OPA's format (`.signatures.json` of a bundle).

The OPAL client has a copy of this file and verifies with it what it keeps; the checks verify the same.
"""

import json
from hashlib import sha256
from typing import Any

import jwt

SIGNATURES = ".signatures.json"


class NotSigned(ValueError):
    """These files are not all that the hub signed; the message says why."""


def signed_at(files: Any, public_key: str) -> int:
    """Return when the hub signed exactly these files, in seconds since 1970; raise `NotSigned` if it did not."""
    if not (isinstance(files, dict) and all(isinstance(text, str) for text in files.values())):
        raise NotSigned("no files by name")
    try:
        [token] = json.loads(files[SIGNATURES])["signatures"]
        # Clocks of the coalition's hosts may differ: a time of signing in the future is no reason to refuse.
        claims = jwt.decode(token, public_key, algorithms=["RS256"], options={"verify_iat": False})
        signed = {str(file["name"]): str(file["hash"]) for file in claims["files"]}
        at = int(claims["iat"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise NotSigned(f"no signature of the hub: {type(error).__name__}: {error}") from None
    held = {name: sha256(text.encode()).hexdigest() for name, text in files.items() if name != SIGNATURES}
    if differing := sorted(name for name, _ in signed.items() ^ held.items()):
        raise NotSigned(f"not what the hub signed: {', '.join(dict.fromkeys(differing))}")
    return at
