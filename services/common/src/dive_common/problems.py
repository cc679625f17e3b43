"""Errors as the services answer them: a status, a stable `error`, a `reason` to read and `details` to look into.

401 who are you · 403 decided: no · 404 no such thing · 400 not understood · 503 could not be decided, hence no.
"""

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

log = logging.getLogger("dive")


class Problem(Exception):
    """Ends a request; `reason` is one sentence or a reason code of the policy."""

    def __init__(self, status: int, error: str, reason: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {error}: {reason}")
        self.status = status
        self.error = error
        self.reason = reason
        self.details = details or {}


def bad_request(reason: str) -> Problem:
    return Problem(400, "bad_request", reason)


def unauthorized(reason: str) -> Problem:
    return Problem(401, "unauthorized", reason)


def forbidden(reason: str, details: dict[str, Any] | None = None) -> Problem:
    return Problem(403, "forbidden", reason, details)


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", f"{what} does not exist")


def unavailable(dependency: str, found: object) -> Problem:
    """A dependency is out of reach or answers nonsense; nothing is permitted without it."""
    return Problem(503, "unavailable", f"{dependency} cannot be asked: {found}", {"dependency": dependency})


def answer(request: Request, problem: Exception) -> Response:
    """Starlette's exception handler for `Problem`."""
    assert isinstance(problem, Problem)
    if problem.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, problem)
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    body = {"error": problem.error, "reason": problem.reason, "details": problem.details}
    return JSONResponse(body, problem.status, headers)
