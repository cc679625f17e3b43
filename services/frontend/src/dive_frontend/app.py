"""The portal: sign in, home page, documents, sign out.

A program with a session's cookie reads `/session`, and documents with `Accept: application/json`. Tokens never leave
the portal.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dive_common import health, problems
from dive_common.live_file import LiveFile
from dive_common.problems import HttpProblem
from dive_common.tokens import TokenIssuer
from dive_frontend.backend_client import BackendClient
from dive_frontend.oidc import Attempt, OidcClient, TokenRefused
from dive_frontend.pages import STATIC, Pages
from dive_frontend.sealing import Seal
from dive_frontend.sessions import LIFETIME_SECONDS, Session, Sessions, pool
from dive_frontend.settings import PortalSettings, partners

SESSION_COOKIE, ATTEMPT_COOKIE = "__Host-dive-session", "__Host-dive-sign-in"
SESSION_PATH = "/session"
ATTEMPT_SECONDS = 600
RENEW_SECONDS = 30  # an access token that expires within this time is renewed first
PAGE = 25  # documents


class PortalApp:
    """The service's dependencies and endpoints; it contacts no other service before the first request."""

    def __init__(self, settings: PortalSettings) -> None:
        files, http = settings.files, settings.files.http()
        self._settings = settings
        self._seal = Seal(files.secret("portal-session"))
        self._connections = pool(settings.database_url, files)
        self._sessions = Sessions(self._connections, self._seal)
        self._client = OidcClient(
            TokenIssuer(settings.issuer, http),
            settings.client_id,
            files.secret("portal-client"),
            settings.portal_url,
            http,
        )
        self._backend = BackendClient(settings.backend_url, http)
        self._partners = LiveFile(files.path("partners.json"), partners)
        self._pages = Pages(settings, self._partners)

    def starlette(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            self._connections.open(wait=False)
            yield
            self._connections.close()

        probes = {"postgres": self._sessions.ping, "backend": self._backend.ping}
        handlers: dict[Any, Any] = {HttpProblem: self.problem}
        return Starlette(
            routes=[
                Route("/", self.home),
                Route(SESSION_PATH, self.session),
                Route("/login", self.sign_in),
                Route("/callback", self.callback),
                Route("/documents/{id}", self.document),
                Route("/logout", self.sign_out, methods=["POST"]),
                Route("/health", health.endpoint(self._settings.instance_code, probes)),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            exception_handlers=handlers,
            lifespan=lifespan,
        )

    def home(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return self._pages.show("welcome.html")
        person = self._backend.whoami(session.access_token)
        page = self._backend.documents(session.access_token, request.query_params.get("after", ""), PAGE)
        return self._pages.show("home.html", person=person, documents=page["resources"], following=page["next"])

    def session(self, request: Request) -> Response:
        """Answer {claims, issuer, expires} of the signed-in person, as this country's services see them."""
        session = self._session(request)
        if session is None:
            raise problems.unauthorized("this session is not signed in")
        claims = self._backend.whoami(session.access_token)
        issuer, expires = claims.pop("iss"), claims.pop("exp")
        return self._pages.data({"claims": claims, "issuer": issuer, "expires": expires})

    def document(self, request: Request) -> Response:
        session, as_data = self._session(request), _wants_data(request)
        if session is None:
            if as_data:
                raise problems.unauthorized("this session is not signed in")
            return RedirectResponse("/", 303)
        try:
            document = self._backend.document(session.access_token, request.path_params["id"])
        except HttpProblem as problem:
            if problem.status != 403:
                raise
            if as_data:
                return self._pages.data({"reason": problem.reason, "check": problem.details.get("check", "")}, 403)
            return self._pages.show("refused.html", 403, problem=problem, id=request.path_params["id"])
        return self._pages.data(document) if as_data else self._pages.show("document.html", document=document)

    def sign_in(self, request: Request) -> Response:
        attempt = Attempt.new()
        response = RedirectResponse(self._client.sign_in_url(attempt, self._alias(request)), 303)
        _set_cookie(response, ATTEMPT_COOKIE, self._seal.close(asdict(attempt)), ATTEMPT_SECONDS)
        return response

    def _alias(self, request: Request) -> str | None:
        code = request.query_params.get("idp")
        if code is None:
            return None
        aliases = {partner.code: partner.alias for partner in self._partners.value().offered}
        if code not in aliases:
            raise problems.not_found(f"partner {code!r}", " or ".join(aliases))
        return aliases[code]

    def callback(self, request: Request) -> Response:
        attempt = self._attempt(request)
        answer = request.query_params
        if error := answer.get("error"):
            raise problems.unauthorized(f"the sign-in failed: {answer.get('error_description', error)}")
        try:
            session = self._client.exchange(answer.get("code", ""), attempt)
        except TokenRefused as refused:
            raise problems.unauthorized(f"the identity provider refused the sign-in: {refused}") from refused
        response = RedirectResponse("/", 303)
        response.delete_cookie(ATTEMPT_COOKIE, secure=True, httponly=True)
        _set_cookie(response, SESSION_COOKIE, self._sessions.create(session), LIFETIME_SECONDS)
        return response

    def _attempt(self, request: Request) -> Attempt:
        kept = self._seal.open(request.cookies.get(ATTEMPT_COOKIE, ""), ATTEMPT_SECONDS)
        if kept is None:
            raise problems.bad_request(
                "this sign-in was not started here, or was started more than ten minutes ago; sign in again"
            )
        attempt = Attempt(**kept)
        if not secrets.compare_digest(attempt.state.encode(), request.query_params.get("state", "").encode()):
            raise problems.bad_request("this answer belongs to another sign-in; sign in again")
        return attempt

    def sign_out(self, request: Request) -> Response:
        session_id = request.cookies.get(SESSION_COOKIE, "")
        session = self._sessions.read(session_id) if session_id else None
        target = self._client.sign_out_url(session.id_token) if session else "/"
        self._sessions.delete(session_id)
        response = RedirectResponse(target, 303)
        response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True)
        return response

    def problem(self, request: Request, error: Exception) -> Response:
        """Answer an `HttpProblem` as a page or as JSON; a 401 of the backend also ends the browser's session."""
        assert isinstance(error, HttpProblem)
        response: Response
        if _wants_data(request):
            check = {name: error.details[name] for name in ("check",) if name in error.details}
            response = self._pages.data({"error": error.error, "reason": error.reason, **check}, error.status)
        else:
            response = self._pages.show("problem.html", error.status, problem=error)
        if error.status == 401:
            response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True)
        return response

    def _session(self, request: Request) -> Session | None:
        """Return the request's session, renewed if its access token is about to expire; None without one."""
        session_id = request.cookies.get(SESSION_COOKIE)
        session = self._sessions.read(session_id) if session_id else None
        if session_id is None or session is None or session.expires - time.time() > RENEW_SECONDS:
            return session
        try:
            renewed = self._client.refresh(session)
        except TokenRefused:  # the realm has ended the session
            self._sessions.delete(session_id)
            return None
        self._sessions.replace(session_id, renewed)
        return renewed


def _wants_data(request: Request) -> bool:
    """Return True for a program: a browser always accepts HTML, and `/session` has no page."""
    accepted = request.headers.get("Accept", "")
    return request.url.path == SESSION_PATH or ("application/json" in accepted and "text/html" not in accepted)


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")
