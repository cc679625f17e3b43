"""The key access service: `POST /rewrap` {resourceId, keyAccess, clientPublicKey} with the reader's bearer token.

`GET /public-key` returns {kasId, publicKey}: the key (PEM) that document keys are wrapped to.

It trusts no caller. It verifies the reader's token itself, takes the policy from the stored document, asks OPA and
records the decision; only then does it release the key.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dive_common import health, problems, web
from dive_common.decisions import Decision, DecisionPoint, context_of, now, resource_of, subject_of
from dive_common.stores import database
from dive_common.tokens import AccessTokens, Claims
from dive_common.ztdf import IntegrityError
from dive_kas.keys import load_private_key, public_half, rewrap, unwrap
from dive_kas.settings import KeyAccessSettings

log = logging.getLogger("dive.kas")

_NO_CIPHERTEXT = {"ztdf.payload.ciphertext": False}


@dataclass(frozen=True)
class Caller:
    """Who asks for a key, and from where."""

    authorization: str | None
    source_ip: str
    request_id: str


class KeyAccessApp:
    """The service's dependencies and endpoints; it contacts no other service before the first request."""

    def __init__(self, settings: KeyAccessSettings) -> None:
        files, http = settings.files, settings.files.http()
        self._settings = settings
        self._private_key = load_private_key(files.secret("kas.key"))
        self._tokens = AccessTokens(settings, http)
        self._opa = DecisionPoint(settings.opa_url, files.secret("opa-token"), http)
        self._database = database(files)

    def starlette(self) -> Starlette:
        probes = {"mongodb": lambda: self._database.command("ping"), "opa": self._opa.ping}
        return Starlette(
            routes=[
                Route("/health", health.endpoint(self._settings.instance_code, probes)),
                Route("/public-key", self.public_key),
                Route("/rewrap", self.rewrap, methods=["POST"]),
            ],
            exception_handlers={problems.HttpProblem: problems.answer},
        )

    async def public_key(self, request: Request) -> Response:
        return web.uncached({"kasId": self._settings.kas_id, "publicKey": public_half(self._private_key)})

    async def rewrap(self, request: Request) -> Response:
        question = await _json_object(request)
        request_id = request.headers.get("X-Request-Id", web.new_id())
        caller = Caller(request.headers.get("Authorization"), web.source_ip(request), request_id)
        return web.uncached(await run_in_threadpool(self._release, question, caller))

    def _release(self, question: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Return the document's key, wrapped for the caller; raise `HttpProblem` 400, 401, 403, 404 or 503."""
        _, claims = self._tokens.verify(caller.authorization)
        resource_id, access, client_public_key = _parts(question)
        document = self._load(resource_id)
        decision = self._decide(claims, document, caller)
        try:
            key = unwrap(self._private_key, access, document["ztdf"]["policy"]) if decision.allow else b""
        except IntegrityError as error:
            decision = Decision(allow=False, reason=str(error), check="integrity")
        self._record(claims, resource_id, decision, caller.request_id)
        if not decision.allow:
            raise problems.forbidden(decision.reason, {"check": decision.check, "evaluation": decision.details})
        wrapped = rewrap(key, client_public_key, resource_id)
        return {"resourceId": resource_id, "kasId": self._settings.kas_id, **wrapped}

    def _load(self, resource_id: str) -> dict[str, Any]:
        try:
            document = self._database.resources.find_one({"_id": resource_id}, _NO_CIPHERTEXT)
        except PyMongoError as error:
            raise problems.unavailable("document store", error) from error
        if document is None or "ztdf" not in document:
            raise problems.not_found(f"protected document {resource_id!r}")
        return document

    def _decide(self, claims: Claims, document: Mapping[str, Any], caller: Caller) -> Decision:
        return self._opa.decide(
            {
                "subject": subject_of(claims),
                "action": {"operation": "release-key"},
                "resource": resource_of(document),
                "context": context_of(claims, self._settings.instance_code, caller.source_ip, caller.request_id),
            }
        )

    def _record(self, claims: Claims, resource_id: str, decision: Decision, request_id: str) -> None:
        row = {
            "_id": web.new_id(),
            "time": now(),
            "requestId": request_id,
            "kasId": self._settings.kas_id,
            "resourceId": resource_id,
            "uniqueID": claims.get("uniqueID"),
            "countryOfAffiliation": claims.get("countryOfAffiliation"),
            "issuer": claims["iss"],
            "allow": decision.allow,
            "reason": decision.reason,
            "check": decision.check,
        }
        try:
            self._database.key_releases.insert_one(row)
        except PyMongoError as error:  # no key is released without an audit row
            raise problems.unavailable("audit store", error) from error
        log.info("key of %s for %s: %s %s", resource_id, row["uniqueID"], decision.allow, decision.reason)


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except ValueError as error:
        raise problems.bad_request("the body is not JSON") from error
    if not isinstance(found, dict):
        raise problems.bad_request("the body is not a JSON object")
    return found


def _parts(question: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    resource_id, access, public = (question.get(name) for name in ("resourceId", "keyAccess", "clientPublicKey"))
    if not (isinstance(resource_id, str) and isinstance(access, dict) and isinstance(public, str)):
        raise problems.bad_request("expected resourceId (text), keyAccess (object) and clientPublicKey (PEM)")
    return resource_id, access, public
