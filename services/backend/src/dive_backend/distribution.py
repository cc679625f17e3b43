"""The hub as policy administration point: policies and policy data for every OPA of the coalition.

Each request carries the token of a country, signed with its own `policy-key`; `members.json` holds the public keys of
the members. Data is read from MongoDB at most once a second; an ETag spares the transfer of unchanged content. The
bundle of policies and data is signed with the hub's key: who takes it, wherever it comes from, knows that it is the
hub's, and which of two is newer.
"""

import gzip
import io
import json
import tarfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pymongo.database import Database
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dive_common.live_file import LiveFile
from dive_common.problems import HttpProblem, unauthorized, unavailable
from dive_common.settings import ServiceFiles
from dive_common.tokens import bearer_token

# Collections, and the names under which OPA receives their rows.
FEEDS = ("trusted_issuers", "federation_matrix", "coi_definitions", "tenant_configs", "clearance_equivalency")
BUNDLE = "/api/opal/bundle.tar.gz"
OPAL_AUDIENCE = "dive-policy"
FRESH = 1.0  # seconds for which all members get what was read once: each of them polls
LEEWAY_SECONDS = 60  # clocks of the coalition's hosts may differ
SIGNATURES = ".signatures.json"  # where OPA expects the signature of a bundle
_BOOKKEEPING = ("_id", "seedBatchId")  # fields of the database that policies do not need

Feed = dict[str, Any]


class PolicyDistribution:
    """The endpoint of the bundle, served only by the hub. `hub`: its code."""

    def __init__(self, hub: str, files: ServiceFiles, database: Database[dict[str, Any]]) -> None:
        self._hub = hub
        self._policies = files.path("policies")
        self._members = LiveFile(files.path("members.json"), members)
        self._private_key = files.secret("policy.key")
        self._turn = threading.Lock()
        self._read = -FRESH  # monotonic seconds: when the data was read last
        self._made = _Made("", 0, b"")
        self._problem: HttpProblem | None = None  # of that time
        self._database = database

    def routes(self) -> list[Route]:
        return [Route(BUNDLE, self.bundle_with_data)]

    def bundle_with_data(self, request: Request) -> Response:
        """Answer a signed OPA bundle of policies and data; the revision in its `.manifest` is a hash of the content.

        The revision is the ETag too: the time in the signature is no change. Raise `HttpProblem` 401 for no member.
        """
        country_of(request, self._members.value(), self._hub)
        with self._turn:
            if time.monotonic() - self._read >= FRESH:
                try:
                    self._made, self._problem = self._current(), None
                except HttpProblem as problem:  # for those who wait, too: else each of them waited for the database
                    self._problem = problem
                self._read = time.monotonic()
            made, failed = self._made, self._problem
        if failed:
            raise failed
        return _answer(request, made)

    def _current(self) -> "_Made":
        """Return what is distributed now, which is made and signed again only if its content has changed.

        It is signed with a later time than the one before: no one takes what is older than what he has.
        """
        data = {"dive": {collection: feed(self._database, collection) for collection in FEEDS}}
        files = modules(self._policies) | {"data.json": _json(data)}
        revision = sha256(_json({path: sha256(content).hexdigest() for path, content in files.items()})).hexdigest()
        if revision == self._made.revision:
            return self._made
        files[".manifest"] = _json({"revision": revision, "roots": ["dive"], "rego_version": 1})
        at = max(int(time.time()), self._made.at + 1)
        return _Made(revision, at, bundle(files | {SIGNATURES: signature(files, self._private_key, at)}))


@dataclass(frozen=True)
class _Made:
    """A bundle: the revision of its content, and when it was signed (seconds since 1970)."""

    revision: str
    at: int
    packed: bytes


def members(text: str) -> Mapping[str, str]:
    """Parse `members.json`, country -> public key (PEM); raise `ValueError` for anything else."""
    found = json.loads(text)
    if not (isinstance(found, dict) and all(isinstance(key, str) for key in found.values())):
        raise ValueError("expected a public key by country")
    return found


def country_of(request: Request, keys: Mapping[str, str], hub: str) -> str:
    """Return the code of the member whose token the request carries; raise `HttpProblem` 401 without a valid one.

    The token of a member ends; that of the hub itself is in the files of its own containers, and need not.
    """
    token = bearer_token(request.headers.get("Authorization"), "the token of a country")
    try:
        country = str(jwt.decode(token, options={"verify_signature": False})["country"])
        jwt.decode(
            token,
            keys[country],
            algorithms=["RS256"],
            audience=OPAL_AUDIENCE,
            issuer=country,
            leeway=LEEWAY_SECONDS,
            options={"require": ["sub", "country", *([] if country == hub else ["exp"])]},
        )
    except KeyError:
        raise unauthorized("the token is not of a member of the coalition") from None
    except jwt.InvalidTokenError as error:
        raise unauthorized(f"the country's token is not valid: {error}") from error
    return country


def modules(directory: Path) -> dict[str, bytes]:
    """Return the Rego modules below `directory` by path; raise `HttpProblem` 503 if it has none."""
    found = {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.rego"))}
    if not found:
        raise unavailable("policies", f"no .rego file below {directory}")
    return found


def feed(database: Database[dict[str, Any]], collection: str) -> Feed:
    """Return a collection as delivered: `{"success": true, "<collection>": [rows], "count": n}`, rows ordered by id."""
    try:
        found = list(database[collection].find())
    except PyMongoError as error:
        raise unavailable("mongodb", error) from error
    rows = [{name: value for name, value in row.items() if name not in _BOOKKEEPING} for row in sorted(found, key=_id)]
    return {"success": True, collection: rows, "count": len(rows)}


def bundle(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar file; equal content gives equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def signature(files: Mapping[str, bytes], private_key: str, at: int) -> bytes:
    """Return the signature of a bundle in OPA's format: a JWT with the hash of each file and the time `at` of signing.

    OPA hashes the value of a JSON file in the form of `_json`, which is also the hash of the file's bytes.
    """
    hashes = [
        {"name": path, "hash": sha256(content).hexdigest(), "algorithm": "SHA-256"}
        for path, content in sorted(files.items())
    ]
    token = jwt.encode({"files": hashes, "iat": at}, _key(private_key), algorithm="RS256")
    return _json({"signatures": [token]})


@lru_cache(maxsize=8)
def _key(private_key: str) -> Any:
    """Load a key once: OpenSSL examines it each time, for 50 ms of processor time."""
    return load_pem_private_key(private_key.encode(), None)


def _answer(request: Request, made: _Made) -> Response:
    """Answer the bundle, or 304 to a client that already has one of this revision."""
    tag = f'"{made.revision}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(made.packed, media_type="application/gzip", headers=headers)


def _json(value: object) -> bytes:
    """Return JSON in the form that OPA hashes (its `bundle/hash.go`), which Go's encoder writes.

    Dates and other BSON types, which an operator may have entered, are delivered as text.
    """
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _id(row: Mapping[str, Any]) -> str:
    return str(row["_id"])
