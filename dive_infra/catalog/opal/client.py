"""Gunicorn's configuration of the OPAL client: it gives the country's OPA what the hub has signed, and nothing else.

Of OPAL, only the announcement that there is something new counts. This file then asks the hub for its signed policies
and data, verifies them, refuses what is older than what the country has, and keeps them on a volume. The country's OPA
asks for them here, and verifies them again. So it has them after a restart while the hub does not answer, too.

A token that the hub refuses ends the client at once, with a message; OPAL would try for ever. A country that has what
the hub signed once goes on with that: a hub may cut it off, but not end its decisions.
"""

import http.client
import io
import json
import logging
import os
import resource
import runpy
import ssl
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_FILES = Path("/etc/dive")
_ASK = 15  # seconds between two questions to the hub that nothing announced
_PAUSE = 0.5  # seconds between two questions at least, however much is announced
_CONFIRM = 30  # seconds after which it is noted again that the hub confirmed what is kept
_OPEN_FILES = 1024  # with a connection each
_COPY = Path(os.environ["HUB_BUNDLE_COPY"])
_FEED_PORT = int(os.environ["FEED_PORT"])  # where OPA asks
_log = logging.getLogger("gunicorn.error")

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

_policy_key = (_FILES / "policy.key").read_text()
_hub_key = (_FILES / "hub-policies.pub").read_text()
# The time of the hub's signature; raises ValueError for anything that the hub did not sign.
_signed_at: Callable[[Any, str], int] = runpy.run_path(str(_FILES / "signature.py"))["signed_at"]
_mint: Callable[[str, str], str] = runpy.run_path(str(_FILES / "opal_token.py"))["mint_opal_token"]

_trust = ssl.create_default_context(cafile=str(_FILES / "ca.pem"))

# No one has the other half of this key, so the client's own API answers no one. At its triggers OPAL asks for no
# token: `on_starting` closes these.
_nobody = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()

os.environ |= {
    "OPAL_AUTH_PUBLIC_KEY_FORMAT": "pem",
    "OPAL_AUTH_PUBLIC_KEY": _nobody.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}

from fastapi_websocket_rpc.websocket_rpc_client import WebSocketRpcClient  # noqa: E402
from opal_client import client as opal  # noqa: E402  (reads the variables above)
from opal_client.policy_store.mock_policy_store_client import MockPolicyStoreClient  # noqa: E402

_BROKEN = (OSError, http.client.HTTPException, ValueError, KeyError)  # such as an answer that breaks off

_news = threading.Event()  # OPAL's server announced something, or the connection to it is new
_held: dict[str, Any] = {}  # what the hub signed: its `files`, their `tag`, and when the hub `confirmed` them last
_fed = ("", b"")  # the tag and the bundle that OPA is given


def _token() -> str:
    return _mint(_policy_key, os.environ["COUNTRY"])


def _request(url: str, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {_token()}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    request = urllib.request.Request(url, headers=sent)  # noqa: S310
    return urllib.request.urlopen(request, timeout=5, context=_trust)  # noqa: S310


def _stop(problem: str) -> None:
    sys.exit(f"opal-client: {problem}; next: compare this country's request with the coalition document")


def on_starting(arbiter: Any) -> None:
    """Opens OPAL's API within the container only, and ends with a token that the hub refuses, unless it signed once.

    A hub that is down is another matter: OPAL waits for it.
    """
    # The image's start script binds all addresses on its command line, which overrides this file.
    arbiter.cfg.set("bind", [f"127.0.0.1:{os.environ['UVICORN_PORT']}", f"0.0.0.0:{_FEED_PORT}"])
    for url in (f"{os.environ['OPAL_SERVER_URL']}/policy", os.environ["HUB_BUNDLE_URL"]):
        try:
            _request(url).close()
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                _refused(f"the hub refuses this country's token: {error.code} from {url}")
        except OSError as error:
            _log.warning("the hub is out of reach, going on without: %s: %s", url, error)


def _refused(problem: str) -> None:
    """Ends the client, unless the hub has signed something for this country that OPA can have."""
    try:
        _stored()
    except _BROKEN:
        _stop(problem)
    _log.warning("%s; going on with what it signed last", problem)


def post_worker_init(worker: Any) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES if most < 0 else min(_OPEN_FILES, most), most))
    worker.wsgi = _feeding(worker.wsgi)
    # A thread: the hub may keep it waiting, as looking up a name has no time limit.
    threading.Thread(target=_keep, name="keep-policies", daemon=True).start()


# OPAL announces, and loads nothing.


class _Header(list[tuple[str, str]]):
    """The headers of a connection to OPAL's server, with a token of the moment in which they are sent."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([("Authorization", f"Bearer {_token()}")])


class _Announcements(opal.PolicyUpdater):  # type: ignore[misc]  # OPAL is in the image alone
    """Listens to OPAL's server, and has the hub asked instead of loading anything itself."""

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self._extra_headers = _Header()

    async def update_policy(self, *_: Any) -> None:
        """Runs for each announcement, and when the connection is new."""
        _news.set()


async def _is_healthy(_: Any) -> bool:
    """Return whether OPA can have what the hub signed."""
    return bool(_fed[0])


opal.PolicyUpdater = _Announcements
# What is tried again, and more and more rarely: everything. Without this a refusal, several times a second.
WebSocketRpcClient.DEFAULT_RETRY_CONFIG.pop("retry", None)
MockPolicyStoreClient.is_healthy = _is_healthy


# What the hub signed.


def _keep() -> None:
    """Takes what the hub distributes if it has signed it, for OPA and for the next start; first what is kept."""
    stored, said = 0.0, ""
    try:
        _take(_stored(), "kept")
    except _BROKEN as error:
        _log.warning("no policies of the hub are kept yet: %s", error)
    while True:
        _news.clear()
        try:
            now = _distributed(_held)
            if now["files"] != _held.get("files") or now["confirmed"] - stored >= _CONFIRM:
                _store(now)
                stored = now["confirmed"]
            _take(now, "new")
            said = ""
        except (*_BROKEN, tarfile.TarError, EOFError, zlib.error) as error:
            if str(error) != said:  # once, not every few seconds
                _log.warning("nothing is taken from the hub: %s", error)
            said = str(error)
        time.sleep(_PAUSE)
        _news.wait(_ASK)


def _distributed(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the hub distributes; without a transfer if it is what is `held`.

    Raises `ValueError` for what the hub did not sign, and for what it signed before that.
    """
    known = {"If_None_Match": held["tag"]} if held.get("tag") else {}
    try:
        with _request(os.environ["HUB_BUNDLE_URL"], **known) as response:
            tag, packed = response.headers["ETag"] or "", response.read()
    except urllib.error.HTTPError as error:
        if error.code != http.client.NOT_MODIFIED or not known:
            raise
        return {**held, "confirmed": time.time()}
    with tarfile.open(fileobj=io.BytesIO(packed)) as bundle:
        files = {member.name: file.read().decode() for member in bundle if (file := bundle.extractfile(member))}
    signed = _signed_at(files, _hub_key)
    if held and signed < (newest := _signed_at(held["files"], _hub_key)):
        raise ValueError(
            f"refused: the hub answers what it signed at {_time(signed)}, "
            f"older than what this country has, signed at {_time(newest)}"
        )
    return {"files": files, "tag": tag, "confirmed": time.time()}


def _time(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _take(now: Mapping[str, Any], kind: str) -> None:
    """Gives OPA what was verified."""
    global _fed
    if now["files"] != _held.get("files"):
        bundle = _packed(now["files"])
        _fed = (f'"{sha256(bundle).hexdigest()}"', bundle)
        _log.warning("OPA gets %s policies and data, signed at %s", kind, _time(_signed_at(now["files"], _hub_key)))
    _held.update(now)


def _packed(files: Mapping[str, str]) -> bytes:
    """Return a bundle of OPA."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _store(kept: Mapping[str, Any]) -> None:
    """Replaces the stored copy; whatever happens, the old one or the new one is there."""
    new = _COPY.with_suffix(".new")
    with new.open("w") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(_COPY)


def _stored() -> dict[str, Any]:
    """Return the stored copy; raise `ValueError` if the hub did not sign it, `OSError` without one."""
    kept = json.loads(_COPY.read_text())
    if not (isinstance(kept, dict) and kept.keys() >= {"files", "tag", "confirmed"} and isinstance(kept["tag"], str)):
        raise ValueError(f"{_COPY} is no copy of the hub's policies")
    _signed_at(kept["files"], _hub_key)
    return kept


# OPA asks.

_Answer = Callable[[dict[str, Any]], Awaitable[None]]


def _feeding(application: Any) -> Any:
    """Return the application that answers OPA at its port with the bundle, and leaves the others to OPAL."""

    async def answer(scope: dict[str, Any], receive: Any, send: _Answer) -> None:
        if scope["type"] == "lifespan" or scope["server"][1] != _FEED_PORT:
            await application(scope, receive, send)
        elif scope["type"] == "http":
            await _feed(dict(scope["headers"]).get(b"if-none-match", b"").decode(), send)
        else:
            await send({"type": "websocket.close"})

    return answer


async def _feed(known: str, send: _Answer) -> None:
    """Answer the bundle; 304 to an OPA that has it, 503 before the hub signed anything."""
    tag, bundle = _fed
    status = 503 if not tag else 304 if known == tag else 200
    headers = [(b"etag", tag.encode()), (b"content-type", b"application/gzip")] if tag else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": bundle if status == 200 else b""})
