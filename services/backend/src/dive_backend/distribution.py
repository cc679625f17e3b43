"""The hub as the policy administration point: policies and policy data for every OPA of the coalition.

Each request carries the token of a country, signed with the hub's `opal-key`. Data are read from MongoDB when asked
for; an ETag saves who has them already.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import jwt
from pymongo.database import Database
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dive_common.problems import not_found, unauthorized, unavailable

# Topic -> collection, and the name under which the rows arrive at OPA.
FEEDS = {
    "trusted-issuers": "trusted_issuers",
    "federation-matrix": "federation_matrix",
    "coi-definitions": "coi_definitions",
    "tenant-configs": "tenant_configs",
    "clearance-equivalency": "clearance_equivalency",
}
AUDIENCE, ISSUER = "dive-policy", "dive-hub"
REFRESH = 4  # seconds between two looks of an OPAL client at a feed
_BOOKKEEPING = ("_id", "seedBatchId")  # of the database, no business of policies

Feed = dict[str, Any]


class Source(Protocol):
    """Where policies, data and the key that verifies tokens come from."""

    @property
    def policies(self) -> Path: ...

    @property
    def opal_public_key(self) -> Path: ...

    def database(self) -> Database[dict[str, Any]]: ...


def routes(settings: Source) -> list[Route]:
    """The endpoints below `/api/opal/`; mounted by the hub alone."""
    served: dict[str, Callable[[Source, Request, str], Response]] = {
        "/api/opal/bundle.tar.gz": _everything,
        "/api/opal/policies/bundle.tar.gz": _policies_alone,
        "/api/opal/data-sources": _data_sources,
        "/api/opal/{topic}": _topic,
    }

    def guarded(serve: Callable[[Source, Request, str], Response], request: Request) -> Response:
        return serve(settings, request, country_of(request, settings.opal_public_key))

    return [Route(path, partial(guarded, serve), name=serve.__name__) for path, serve in served.items()]


def country_of(request: Request, public_key: Path) -> str:
    """The code of the country whose token the request carries; raises `Problem` 401, saying what is wrong with it."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("expected the bearer token of a country (opal-token), found none")
    try:
        claims = jwt.decode(
            token.strip(),
            public_key.read_text(),
            algorithms=["RS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["sub", "country"]},
        )
    except jwt.InvalidTokenError as error:
        raise unauthorized(f"the country's token (opal-token) is not valid here: {error}") from error
    return str(claims["country"])


def modules(directory: Path) -> dict[str, bytes]:
    """The Rego modules below `directory`, by path; raises `Problem` 503 when there is none."""
    found = {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.rego"))}
    if not found:
        raise unavailable("policies", f"no .rego file below {directory}")
    return found


def feed(settings: Source, collection: str) -> Feed:
    """A collection as it is delivered: `{"success": true, "<collection>": [rows], "count": n}`, rows by their id."""
    try:
        found = list(settings.database()[collection].find())
    except PyMongoError as error:
        raise unavailable("mongodb", error) from error
    rows = [{name: value for name, value in row.items() if name not in _BOOKKEEPING} for row in sorted(found, key=_id)]
    return {"success": True, collection: rows, "count": len(rows)}


def bundle(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar that depends on nothing but its content."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _everything(settings: Source, request: Request, _: str) -> Response:
    """An OPA bundle of policies and data: `.manifest` tells its revision, a hash of the content."""
    data = {"dive": {collection: feed(settings, collection) for collection in FEEDS.values()}}
    files = modules(settings.policies) | {"data.json": _json(data)}
    revision = sha256(bundle(files)).hexdigest()
    manifest = {"revision": revision, "roots": ["dive"], "rego_version": 1}
    return _answer(request, bundle(files | {".manifest": _json(manifest)}), "application/gzip")


def _policies_alone(settings: Source, request: Request, _: str) -> Response:
    return _answer(request, bundle(modules(settings.policies)), "application/gzip")


def _data_sources(_: Source, request: Request, country: str) -> Response:
    """What an OPAL client fetches, from where to where, and how often."""
    entries = [
        {
            "url": str(request.url_for(_topic.__name__, topic=topic)),
            "config": {"headers": {"Authorization": request.headers["Authorization"]}},
            "topics": [f"policy_data/{country.lower()}"],
            "dst_path": f"/dive/{collection}",
            "periodic_update_interval": REFRESH,
        }
        for topic, collection in FEEDS.items()
    ]
    return JSONResponse({"entries": entries}, headers={"Cache-Control": "no-store"})


def _topic(settings: Source, request: Request, _: str) -> Response:
    topic = request.path_params["topic"]
    if topic not in FEEDS:
        raise not_found(f"feed {topic!r} (known: {', '.join(FEEDS)})")
    return _answer(request, _json(feed(settings, FEEDS[topic])), "application/json")


def _answer(request: Request, body: bytes, media_type: str) -> Response:
    """The body, or 304 for who has it already."""
    tag = f'"{sha256(body).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _json(value: object) -> bytes:
    # Dates and the like, which people may have entered, arrive as text.
    return json.dumps(value, sort_keys=True, default=str).encode()


def _id(row: Mapping[str, Any]) -> str:
    return str(row["_id"])
