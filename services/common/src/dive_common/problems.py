"""Errors as the services answer them: a status, a stable `error`, a readable `reason`, and `details` for programs.

400 malformed request · 401 not authenticated · 403 denied · 404 not found · 413 too large a body ·
503 no decision possible, hence denied.
"""

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

log = logging.getLogger("dive")


class HttpProblem(Exception):
    """Ends a request; `reason` is one sentence."""

    def __init__(self, status: int, error: str, reason: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {error}: {reason}")
        self.status = status
        self.error = error
        self.reason = reason
        self.details = details or {}


def bad_request(reason: str) -> HttpProblem:
    return HttpProblem(400, "bad_request", reason)


def unauthorized(reason: str) -> HttpProblem:
    return HttpProblem(401, "unauthorized", reason)


def forbidden(reason: str, details: dict[str, Any] | None = None) -> HttpProblem:
    return HttpProblem(403, "forbidden", reason, details)


def not_found(what: str, expected: str = "") -> HttpProblem:
    return HttpProblem(404, "not_found", f"{what} does not exist" + (f"; expected {expected}" if expected else ""))


def too_large(largest: int) -> HttpProblem:
    return HttpProblem(413, "too_large", f"the body is larger than {largest} bytes")


def unavailable(dependency: str, found: object) -> HttpProblem:
    """Return the problem for a dependency that cannot be reached or gives an invalid answer."""
    return HttpProblem(503, "unavailable", f"{dependency} is unavailable: {found}", {"dependency": dependency})


def answer(request: Request, problem: Exception) -> Response:
    """Answer an `HttpProblem` as JSON; an exception handler of Starlette."""
    assert isinstance(problem, HttpProblem)
    if problem.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, problem)
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if problem.status == 413:
        headers["Connection"] = "close"  # otherwise the server would receive the rest of the body
    body = {"error": problem.error, "reason": problem.reason, "details": problem.details}
    return JSONResponse(body, problem.status, headers)
