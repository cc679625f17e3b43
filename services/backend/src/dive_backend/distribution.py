"""The hub as policy administration point: policies and policy data for every OPA of the coalition.

Each request carries the token of a country, signed with its own `policy-key`; `members.json` holds the public keys of
the members. Data is read from MongoDB on each request; an ETag spares the transfer of unchanged content. The bundle of
policies and data is signed with the hub's key, so that a country can use its copy while the hub does not answer.
"""

import gzip
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from pymongo.database import Database
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dive_common.live_file import LiveFile
from dive_common.problems import not_found, unauthorized, unavailable
from dive_common.settings import ServiceFiles
from dive_common.tokens import bearer_token
from dive_common.web import uncached

FEEDS = {
    # topic -> collection, and the name under which OPA receives its rows
    "trusted-issuers": "trusted_issuers",
    "federation-matrix": "federation_matrix",
    "coi-definitions": "coi_definitions",
    "tenant-configs": "tenant_configs",
    "clearance-equivalency": "clearance_equivalency",
}
OPAL_AUDIENCE = "dive-policy"
POLL_SECONDS = 4  # how often an OPAL client reads a feed
SIGNATURES = ".signatures.json"  # where OPA expects the signature of a bundle
_BOOKKEEPING = ("_id", "seedBatchId")  # fields of the database that policies do not need

Feed = dict[str, Any]


class PolicyDistribution:
    """The endpoints below `/api/opal/`, served only by the hub."""

    def __init__(self, files: ServiceFiles, database: Database[dict[str, Any]]) -> None:
        self._policies = files.path("policies")
        self._members = LiveFile(files.path("members.json"), members)
        self._private_key = files.secret("policy.key")
        self._signed = ("", b"")  # a revision and its signature
        self._database = database

    def routes(self) -> list[Route]:
        served: dict[str, Callable[[Request, str], Response]] = {
            "/api/opal/bundle.tar.gz": self.bundle_with_data,
            "/api/opal/policies/bundle.tar.gz": self.bundle_of_policies,
            "/api/opal/data-sources": self.data_sources,
            "/api/opal/{topic}": self.topic,
        }
        return [Route(path, partial(self._guarded, serve), name=serve.__name__) for path, serve in served.items()]

    def _guarded(self, serve: Callable[[Request, str], Response], request: Request) -> Response:
        return serve(request, country_of(request, self._members.value()))

    def bundle_with_data(self, request: Request, _: str) -> Response:
        """Answer a signed OPA bundle of policies and data; the revision in its `.manifest` is a hash of the content.

        The revision is the ETag too: the time in the signature is no change.
        """
        data = {"dive": {collection: feed(self._database, collection) for collection in FEEDS.values()}}
        files = modules(self._policies) | {"data.json": _json(data)}
        revision = sha256(bundle(files)).hexdigest()
        manifest = {"revision": revision, "roots": ["dive"], "rego_version": 1}
        files[".manifest"] = _json(manifest)
        return _answer(request, bundle(files | self._signature(revision, files)), "application/gzip", revision)

    def _signature(self, revision: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
        signed, made = self._signed
        if signed != revision:
            made = signature(files, self._private_key)
            self._signed = (revision, made)
        return {SIGNATURES: made}

    def bundle_of_policies(self, request: Request, _: str) -> Response:
        return _answer(request, bundle(modules(self._policies)), "application/gzip")

    def data_sources(self, request: Request, country: str) -> Response:
        """Answer what an OPAL client fetches, where it stores it in OPA, and how often."""
        entries = [
            {
                "url": str(request.url_for(self.topic.__name__, topic=topic)),
                "config": {"headers": {"Authorization": request.headers["Authorization"]}},
                "topics": [f"policy_data/{country.lower()}"],
                "dst_path": f"/dive/{collection}",
                "periodic_update_interval": POLL_SECONDS,
            }
            for topic, collection in FEEDS.items()
        ]
        return uncached({"entries": entries})

    def topic(self, request: Request, _: str) -> Response:
        topic = request.path_params["topic"]
        if topic not in FEEDS:
            raise not_found(f"feed {topic!r}", f"one of {', '.join(FEEDS)}")
        return _answer(request, _json(feed(self._database, FEEDS[topic])), "application/json")


def members(text: str) -> Mapping[str, str]:
    """Parse `members.json`, country -> public key (PEM); raise `ValueError` for anything else."""
    found = json.loads(text)
    if not (isinstance(found, dict) and all(isinstance(key, str) for key in found.values())):
        raise ValueError("expected a public key by country")
    return found


def country_of(request: Request, keys: Mapping[str, str]) -> str:
    """Return the code of the member whose token the request carries; raise `HttpProblem` 401 without a valid one."""
    token = bearer_token(request.headers.get("Authorization"), "the token of a country")
    try:
        country = str(jwt.decode(token, options={"verify_signature": False})["country"])
        jwt.decode(
            token,
            keys[country],
            algorithms=["RS256"],
            audience=OPAL_AUDIENCE,
            issuer=country,
            options={"require": ["sub", "country"]},
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


def signature(files: Mapping[str, bytes], private_key: str) -> bytes:
    """Return the signature of a bundle in OPA's format: a JWT with the hash of each file and the time of signing.

    OPA hashes the value of a JSON file in the form of `_json`, which is also the hash of the file's bytes.
    """
    hashes = [
        {"name": path, "hash": sha256(content).hexdigest(), "algorithm": "SHA-256"}
        for path, content in sorted(files.items())
    ]
    token = jwt.encode({"files": hashes, "iat": int(time.time())}, private_key, algorithm="RS256")
    return _json({"signatures": [token]})


def _answer(request: Request, body: bytes, media_type: str, revision: str = "") -> Response:
    """Answer the body, or 304 to a client that already has it, or another body of the same `revision`."""
    tag = f'"{revision or sha256(body).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _json(value: object) -> bytes:
    """Return JSON in the form that OPA hashes (its `bundle/hash.go`), which Go's encoder writes.

    Dates and other BSON types, which an operator may have entered, are delivered as text.
    """
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _id(row: Mapping[str, Any]) -> str:
    return str(row["_id"])
