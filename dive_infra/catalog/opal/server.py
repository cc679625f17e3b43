"""Gunicorn's configuration of the OPAL server: TLS, secrets from files, limits, and a key for each member.

OPAL verifies every token with its own key, so it would have to issue them. Here each country signs its own; the hub
knows the public keys of its members, and takes no other's, and none that does not end. The server's own key is of this
start alone, and no one takes what it signs. OPAL reads a body of any size before it looks at the token.
"""

import json
import os
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_FILES = Path("/etc/dive")
_MEMBERS = _FILES / "members.json"  # country -> public key (PEM); changes while the server runs
_LARGEST_BODY = 64 * 1024  # bytes
_LEEWAY = 60  # seconds: clocks of the coalition's hosts may differ
_OPEN_FILES = 2048  # with a connection each, 100 MB; beyond, libuv closes what it has just accepted

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

_own = rsa.generate_private_key(public_exponent=65537, key_size=2048)

os.environ |= {
    "OPAL_AUTH_PRIVATE_KEY_FORMAT": "pem",
    "OPAL_AUTH_PRIVATE_KEY": _own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "OPAL_AUTH_PUBLIC_KEY_FORMAT": "pem",
    "OPAL_AUTH_PUBLIC_KEY": _own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    "OPAL_AUTH_MASTER_TOKEN": (_FILES / "opal-master").read_text(),
    # Nobody calls the web hook: with a secret, nobody can.
    "OPAL_POLICY_REPO_WEBHOOK_SECRET": (_FILES / "opal-master").read_text(),
    "OPAL_POLICY_BUNDLE_SERVER_TOKEN": (_FILES / "hub-token").read_text(),
}

import jwt  # noqa: E402
from fastapi import HTTPException  # noqa: E402
from opal_common.authentication import verifier  # noqa: E402  (reads the variables above)

_last: list[dict[str, str]] = [json.loads(_MEMBERS.read_text())]


def _keys() -> dict[str, str]:
    """Return the members' keys as they are now; while the file is being written, as they were."""
    with suppress(OSError, ValueError):
        _last[0] = json.loads(_MEMBERS.read_text())
    return _last[0]


def _verify(_: Any, token: str) -> dict[str, Any]:
    """Return the claims of a member's token; what it may do is decided here, whatever the token says.

    OPAL lets a client publish to the topics that it may subscribe to. Therefore there is only one: the announcement
    that there is something new, which every client then fetches from the hub.
    """
    try:
        country = str(jwt.decode(token, options={"verify_signature": False})["country"])
        claims = jwt.decode(
            token,
            _keys()[country],
            algorithms=["RS256"],
            audience=os.environ["OPAL_AUTH_JWT_AUDIENCE"],
            issuer=country,
            leeway=_LEEWAY,
            options={"require": ["exp"]},
        )
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise verifier.Unauthorized(f"not the token of a member: {type(error).__name__}") from None
    return {**claims, "peer_type": "client", "permitted_topics": ["policy:."]}


verifier.JWTVerifier.verify = _verify


_Receive = Callable[[], Awaitable[dict[str, Any]]]


def post_worker_init(worker: Any) -> None:
    """Has the worker's application run with small bodies only, and limits its connections."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES if most < 0 else min(_OPEN_FILES, most), most))
    application = worker.wsgi

    async def limited(scope: dict[str, Any], receive: _Receive, send: Any) -> None:
        await application(scope, _limited(receive) if scope["type"] == "http" else receive, send)

    worker.wsgi = limited


def _limited(receive: _Receive) -> _Receive:
    """Return what receives the parts of a body until they are too much, which FastAPI answers with 413."""
    size = 0

    async def counted() -> dict[str, Any]:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _LARGEST_BODY:
            raise HTTPException(413, f"the body is larger than {_LARGEST_BODY} bytes", {"Connection": "close"})
        return message

    return counted
