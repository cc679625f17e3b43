"""The key access service: `POST /rewrap` {resourceId, keyAccess, clientPublicKey} with the reader's bearer token.

It trusts no caller: it verifies the reader's token itself, takes the policy from the stored document, asks OPA, records
the answer, and only then hands out the key.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dive_common import health, problems
from dive_common.decisions import Decision, DecisionPoint, context_of, now, resource_of, subject_of
from dive_common.stores import database
from dive_common.tokens import AccessTokens, Claims
from dive_common.ztdf import Broken
from dive_kas.keys import load_private_key, rewrap, unwrap
from dive_kas.settings import AUDIENCE, Settings

log = logging.getLogger("dive.kas")

_NO_CIPHERTEXT = {"ztdf.payload.ciphertext": False}
LARGEST_BODY = 64 * 1024


def create(settings: Settings) -> Starlette:
    """The application; nothing is asked of another service before the first request."""
    http = settings.paths.http()
    private = load_private_key(settings.paths.secret("kas.key"))
    tokens = AccessTokens(settings.issuers, AUDIENCE, http)
    opa = DecisionPoint(settings.opa_url, settings.paths.secret("opa-token"), http)
    store = database(settings.paths)

    def load(resource_id: str) -> dict[str, Any]:
        try:
            document = store.resources.find_one({"_id": resource_id}, _NO_CIPHERTEXT)
        except PyMongoError as error:
            raise problems.unavailable("document store", error) from error
        if document is None or "ztdf" not in document:
            raise problems.not_found(f"protected document {resource_id!r}")
        return document

    def record(claims: Claims, resource_id: str, decision: Decision, request_id: str) -> None:
        row = {
            "_id": str(uuid4()),
            "time": now(),
            "requestId": request_id,
            "kasId": settings.kas_id,
            "resourceId": resource_id,
            "uniqueID": claims.get("uniqueID"),
            "countryOfAffiliation": claims.get("countryOfAffiliation"),
            "issuer": claims["iss"],
            "allow": decision.allow,
            "reason": decision.reason,
            "check": decision.check,
        }
        try:
            store.key_releases.insert_one(row)
        except PyMongoError as error:  # what cannot be recorded is not released
            raise problems.unavailable("audit store", error) from error
        log.info("key of %s for %s: %s %s", resource_id, row["uniqueID"], decision.allow, decision.reason)

    def release(question: Mapping[str, Any], authorization: str | None, source: str, request_id: str) -> dict[str, Any]:
        _, claims = tokens.verify(authorization)
        resource_id, access, public = _parts(question)
        document = load(resource_id)
        decision = opa.decide(
            {
                "subject": subject_of(claims),
                "action": {"operation": "release-key"},
                "resource": resource_of(document),
                "context": context_of(claims, settings.instance_code, source, request_id),
            }
        )
        try:
            key = unwrap(private, access, document["ztdf"]["policy"]) if decision.allow else b""
        except Broken as error:
            decision = Decision(allow=False, reason=str(error), check="integrity")
        record(claims, resource_id, decision, request_id)
        if not decision.allow:
            raise problems.forbidden(decision.reason, {"check": decision.check, "evaluation": decision.details})
        return {"resourceId": resource_id, "kasId": settings.kas_id, **rewrap(key, public, resource_id)}

    async def rewrap_key(request: Request) -> JSONResponse:
        question = await _body(request)
        authorization = request.headers.get("Authorization")
        source = request.client.host if request.client else ""
        request_id = request.headers.get("X-Request-Id", str(uuid4()))
        answer = await run_in_threadpool(release, question, authorization, source, request_id)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def live(request: Request) -> JSONResponse:
        probes = {"mongodb": lambda: store.command("ping"), "opa": opa.ping}
        return JSONResponse(health.report(settings.instance_code, probes), headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[Route("/health", live), Route("/rewrap", rewrap_key, methods=["POST"])],
        exception_handlers={problems.Problem: problems.answer},
    )


async def _body(request: Request) -> dict[str, Any]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise problems.bad_request(f"the body is larger than {LARGEST_BODY} bytes")
    try:
        question = json.loads(body)
    except ValueError as error:
        raise problems.bad_request("the body is not JSON") from error
    if not isinstance(question, dict):
        raise problems.bad_request("the body is not a JSON object")
    return question


def _parts(question: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    resource_id, access, public = (question.get(name) for name in ("resourceId", "keyAccess", "clientPublicKey"))
    if not (isinstance(resource_id, str) and isinstance(access, dict) and isinstance(public, str)):
        raise problems.bad_request("resourceId (text), keyAccess (object) and clientPublicKey (PEM) are needed")
    return resource_id, access, public
