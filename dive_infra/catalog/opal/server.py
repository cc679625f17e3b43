"""Gunicorn's configuration of the OPAL server: TLS, secrets from files, and a key for each member instead of one.

OPAL verifies every token with its own key, so it would have to issue them. Here each country signs its own; the hub
knows the public keys of its members, and takes no other's.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

_FILES = Path("/etc/dive")
_MEMBERS = _FILES / "members.json"  # country -> public key (PEM); changes while the server runs

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

os.environ |= {
    "OPAL_AUTH_MASTER_TOKEN": (_FILES / "opal-master").read_text(),
    # Nobody calls the web hook: with a secret, nobody can.
    "OPAL_POLICY_REPO_WEBHOOK_SECRET": (_FILES / "opal-master").read_text(),
    "OPAL_POLICY_BUNDLE_SERVER_TOKEN": (_FILES / "hub-token").read_text(),
}

import jwt  # noqa: E402
from opal_common.authentication import verifier  # noqa: E402  (reads the variables above)

_last: list[dict[str, str]] = [json.loads(_MEMBERS.read_text())]


def _keys() -> dict[str, str]:
    """Return the members' keys as they are now; while the file is being written, as they were."""
    with suppress(OSError, ValueError):
        _last[0] = json.loads(_MEMBERS.read_text())
    return _last[0]


def _verify(_: Any, token: str) -> dict[str, Any]:
    """Return the claims of a member's token; what it may do is decided here, whatever the token says.

    OPAL lets a client publish to the topics that it may subscribe to. Therefore these are only the announcement of new
    policies, which every client then fetches from the hub, and a topic of its own.
    """
    try:
        country = str(jwt.decode(token, options={"verify_signature": False})["country"])
        claims = jwt.decode(
            token, _keys()[country], algorithms=["RS256"], audience=os.environ["OPAL_AUTH_JWT_AUDIENCE"], issuer=country
        )
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise verifier.Unauthorized(f"not the token of a member: {type(error).__name__}") from None
    return {**claims, "peer_type": "client", "permitted_topics": ["policy:.", f"policy_data/{country.lower()}"]}


verifier.JWTVerifier.verify = _verify
