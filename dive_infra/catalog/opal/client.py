"""Gunicorn's configuration of the OPAL client: TLS, secrets from files, and three things that OPAL does not do itself.

A token that the hub refuses ends the client at once, with a message; OPAL would try for ever. A country that has what
the hub signed once goes on with that: a hub may cut it off, but not end its decisions. An OPA that was
restarted, hence has forgotten its policies, gets them again; OPAL notices that of an OPA inside its own container only.
And what the hub distributes is kept, as the hub signed it, for an OPA that was restarted while the hub does not answer.
"""

import http.client
import io
import json
import logging
import os
import runpy
import ssl
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_FILES = Path("/etc/dive")
_LOOPBACK = "127.0.0.1"
_LOOK = 4  # seconds between two looks whether OPA has its policies
_ASK = 15  # seconds between two questions to the hub for what to keep
_CONFIRM = 30  # seconds after which it is noted again that the hub confirmed what is kept
_DECIDES = "authz.rego"  # the policy that answers: where it is loaded, the others are
_DECISION = "dive/authz/allow"  # its answer
_COPY = Path(os.environ["HUB_BUNDLE_COPY"])
_log = logging.getLogger("gunicorn.error")

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

_token = (_FILES / "opal-token").read_text().strip()
_opa_token = (_FILES / "opa-feed").read_text().strip()
_hub_key = (_FILES / "hub-policies.pub").read_text()
# The time of the hub's signature; raises ValueError for anything that the hub did not sign.
_signed_at: Callable[[Any, str], int] = runpy.run_path(str(_FILES / "signature.py"))["signed_at"]


class _Trust(ssl.SSLContext):
    """Expects at loopback, where this client listens, the certificate of its own host."""

    def wrap_socket(self, sock: Any, *how: Any, **more: Any) -> ssl.SSLSocket:
        if more.get("server_hostname") == _LOOPBACK:
            more["server_hostname"] = os.environ["OWN_HOST"]
        return super().wrap_socket(sock, *how, **more)


_trust = _Trust(ssl.PROTOCOL_TLS_CLIENT)
_trust.load_verify_locations(_FILES / "ca.pem")

# No one has the other half of this key, so the client's own API answers no one. At its triggers OPAL asks for no
# token: `on_starting` closes these.
_nobody = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()

os.environ |= {
    "OPAL_CLIENT_TOKEN": _token,
    "OPAL_POLICY_STORE_AUTH_TOKEN": _opa_token,
    "OPAL_AUTH_PUBLIC_KEY_FORMAT": "pem",
    "OPAL_AUTH_PUBLIC_KEY": _nobody.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}

_BROKEN = (OSError, http.client.HTTPException, ValueError, KeyError)  # such as an answer that breaks off


def _request(url: str, token: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    request = urllib.request.Request(url, body, sent, method=method)  # noqa: S310
    return urllib.request.urlopen(request, timeout=5, context=_trust)  # noqa: S310


def _call(url: str, token: str, method: str = "GET", body: bytes | None = None) -> bytes:
    with _request(url, token, method, body) as response:
        return bytes(response.read())


def _stop(problem: str) -> None:
    sys.exit(f"opal-client: {problem}; next: compare this country's request with the coalition document")


def on_starting(arbiter: Any) -> None:
    """Listens within the container only, and ends with a token that the hub refuses, unless it has signed something.

    A hub that is down is another matter: OPAL waits for it.
    """
    # The image's start script binds all addresses on its command line, which overrides this file.
    arbiter.cfg.set("bind", f"{_LOOPBACK}:{os.environ['UVICORN_PORT']}")
    if not _token:
        _stop(f"the country's token in {_FILES / 'opal-token'} is empty")
    for url in (f"{os.environ['OPAL_SERVER_URL']}/policy", os.environ["OPAL_DEFAULT_DATA_SOURCES_CONFIG_URL"]):
        try:
            _call(url, _token)
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


def post_worker_init(_: Any) -> None:
    # Two threads: the hub may keep one waiting, as looking up a name has no time limit.
    threading.Thread(target=_watch, name="watch-opa", daemon=True).start()
    threading.Thread(target=_keep, name="keep-policies", daemon=True).start()


# What the hub distributes, kept with its signature.


def _keep() -> None:
    """Asks the hub for its policies and data, and stores them with the time at which it confirmed them last.

    Has OPAL load policies that changed if it was not told: it may take two minutes to connect to a hub that is back.
    """
    kept: dict[str, Any] | None = None
    stored, said, changed = 0.0, "", False
    try:
        kept = _stored()
    except _BROKEN as error:
        _log.warning("no policies of the hub are kept yet: %s", error)
    while True:
        try:
            now = _distributed(kept)
            if kept is None or now["files"] != kept["files"] or now["confirmed"] - stored >= _CONFIRM:
                _store(now)
                stored = now["confirmed"]
            changed = changed or (kept is not None and _modules(now["files"]) != _modules(kept["files"]))
            kept, said = now, ""
            if changed and (changed := not _in_force(now["files"])):
                _log.warning("the hub has new policies, loading them")
                _reload()
        except (*_BROKEN, tarfile.TarError) as error:
            if str(error) != said:  # once, not every few seconds
                _log.warning("cannot keep the hub's policies: %s", error)
            said = str(error)
        time.sleep(_ASK)


def _distributed(kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the hub distributes, after it was verified; without a transfer if it is what is kept."""
    known = {"If_None_Match": kept["tag"]} if kept else {}
    try:
        with _request(os.environ["HUB_BUNDLE_URL"], _token, **known) as response:
            tag, packed = response.headers["ETag"], response.read()
    except urllib.error.HTTPError as error:
        if error.code != http.client.NOT_MODIFIED or kept is None:
            raise
        return {**kept, "confirmed": time.time()}
    with tarfile.open(fileobj=io.BytesIO(packed)) as bundle:
        files = {member.name: file.read().decode() for member in bundle if (file := bundle.extractfile(member))}
    _signed_at(files, _hub_key)
    return {"files": files, "tag": tag, "confirmed": time.time()}


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
    if not isinstance(kept, dict) or not kept.keys() >= {"files", "tag", "confirmed"}:
        raise ValueError(f"{_COPY} is no copy of the hub's policies")
    _signed_at(kept["files"], _hub_key)
    return kept


# OPA has its policies and data.


def _watch() -> None:
    """Asks OPA for its policies and data. Has OPAL load policies; what is missing again comes from the copy."""
    before = False  # whether something was missing
    while True:
        time.sleep(_LOOK)
        try:
            undecided, feeds = _missing()
            again, before = before, undecided or bool(feeds)
            if again and before and _load(undecided, feeds):
                continue
            if undecided:
                _log.warning("OPA has no policies, loading them")
                _reload()
        except _BROKEN as error:
            _log.warning("cannot look after OPA's policies: %s", error)


def _reload() -> None:
    """Has OPAL load all policies."""
    _call(f"https://{_LOOPBACK}:{os.environ['UVICORN_PORT']}/policy-updater/trigger", _token, "POST")


def _opa(path: str) -> str:
    return f"{os.environ['OPAL_POLICY_STORE_URL']}/v1/{path}"


def _modules(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.endswith(".rego")}


def _in_force(files: Mapping[str, str]) -> bool:
    """Return whether OPA has the policies of a bundle; ids are paths."""
    loaded = json.loads(_call(_opa("policies"), _opa_token))["result"]
    return {module["id"]: module["raw"] for module in loaded}.items() >= _modules(files).items()


def _missing() -> tuple[bool, list[str]]:
    """Return whether OPA has no policies, and the paths of the data that the stored copy has and OPA has not.

    One question is enough while nothing is missing; the answer to it holds none of the policies and data.
    """
    try:
        held = _feeds(_stored()["files"])
    except _BROKEN:
        held = {}  # nothing to compare with; `_load` says why
    parts = [_DECISION, *held]
    if _defined(*parts):
        return False, []
    absent = [path for path in parts if not _defined(path)]
    return _DECISION in absent, [path for path in absent if path != _DECISION]


def _defined(*paths: str) -> bool:
    query = "; ".join(f"_ = data.{path.replace('/', '.')}" for path in paths)
    answer = _call(_opa("query"), _opa_token, "POST", json.dumps({"query": query}).encode())
    return bool(json.loads(answer).get("result"))


def _feeds(files: Mapping[str, str]) -> dict[str, Any]:
    data = json.loads(files["data.json"])
    return {f"{root}/{feed}": value for root, below in data.items() for feed, value in below.items()}


def _load(policies: bool, feeds: Sequence[str]) -> bool:
    """Gives OPA what is missing from the stored copy; returns False if there is none that the hub signed."""
    try:
        files = _stored()["files"]
        held = _feeds(files)
        for path in feeds:
            _call(_opa(f"data/{path}"), _opa_token, "PUT", json.dumps(held[path]).encode())
        if policies:
            _load_modules(files, [path for path in _modules(files) if path != _DECIDES])
            _load_modules(files, [_DECIDES])  # last: no decision is made by a part of them
    except _BROKEN as error:
        _log.warning("OPA gets no kept policies: %s", error)
        return False
    signed = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(_signed_at(files, _hub_key)))
    _log.warning("OPA got the policies and data that the hub signed at %s", signed)
    return True


def _load_modules(files: Mapping[str, str], modules: Sequence[str]) -> None:
    """Gives OPA policies under the ids that OPAL uses; one that needs another is refused until that is there."""
    while modules:
        refused = [path for path in modules if not _taken(path, files[path])]
        if len(refused) == len(modules):
            raise ValueError(f"OPA refuses {', '.join(refused)}")
        modules = refused


def _taken(path: str, text: str) -> bool:
    try:
        _call(_opa(f"policies/{path}"), _opa_token, "PUT", text.encode())
    except urllib.error.HTTPError as error:
        if error.code != http.client.BAD_REQUEST:
            raise
        return False
    return True
