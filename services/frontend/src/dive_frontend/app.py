"""The portal's application: sign in, home, a document, sign out.

A program that holds a session reads `/session`, and documents with `Accept: application/json`. Tokens stay here.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dive_common import health, problems
from dive_common.problems import Problem
from dive_common.tokens import Issuer
from dive_frontend.api import Api
from dive_frontend.oidc import Attempt, Client, Refused
from dive_frontend.pages import STATIC, Pages
from dive_frontend.sealing import Seal
from dive_frontend.sessions import LIFETIME, Session, Sessions, pool
from dive_frontend.settings import Settings

SESSION, ATTEMPT = "__Host-dive-session", "__Host-dive-sign-in"
SESSION_PATH = "/session"
ATTEMPT_SECONDS = 600
FRESH_SECONDS = 30  # an access token that ends sooner is renewed first
PAGE = 25


class Portal:
    """What the routes need; `endpoint` methods are Starlette endpoints."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.paths.secret("portal-session")
        http = settings.paths.http()
        self._settings = settings
        self._seal = Seal(secret)
        self.connections = pool(settings.database_url, settings.paths)
        self._sessions = Sessions(self.connections, self._seal)
        self._client = Client(
            Issuer(settings.issuer, http),
            settings.client_id,
            settings.paths.secret("portal-client"),
            settings.portal_url,
            http,
        )
        self._api = Api(settings.backend_url, http)
        self._pages = Pages(settings)

    def home(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return self._pages.show("welcome.html")
        person = self._api.whoami(session.access_token)
        page = self._api.documents(session.access_token, request.query_params.get("after", ""), PAGE)
        return self._pages.show("home.html", person=person, documents=page["resources"], following=page["next"])

    def session(self, request: Request) -> Response:
        """{claims, issuer, expires}: who is signed in, as this country's services see it, and until when."""
        session = self._session(request)
        if session is None:
            raise problems.unauthorized("nobody is signed in here")
        claims = self._api.whoami(session.access_token)
        issuer, expires = claims.pop("iss"), claims.pop("exp")
        return self._pages.data({"claims": claims, "issuer": issuer, "expires": expires})

    def document(self, request: Request) -> Response:
        session, plain = self._session(request), _by_program(request)
        if session is None:
            if plain:
                raise problems.unauthorized("nobody is signed in here")
            return RedirectResponse("/", 303)
        try:
            document = self._api.document(session.access_token, request.path_params["id"])
        except Problem as problem:
            if problem.status != 403:
                raise
            if plain:
                return self._pages.data({"reason": problem.reason, "check": problem.details.get("check", "")}, 403)
            return self._pages.show("refused.html", 403, problem=problem, id=request.path_params["id"])
        return self._pages.data(document) if plain else self._pages.show("document.html", document=document)

    def sign_in(self, request: Request) -> Response:
        attempt = Attempt.new()
        response = RedirectResponse(self._client.sign_in_url(attempt, self._alias(request)), 303)
        _set_cookie(response, ATTEMPT, self._seal.close(asdict(attempt)), ATTEMPT_SECONDS)
        return response

    def _alias(self, request: Request) -> str | None:
        code = request.query_params.get("idp")
        if code is None:
            return None
        aliases = {partner.code: partner.alias for partner in self._settings.partners}
        if code not in aliases:
            raise problems.not_found(f"partner {code!r}")
        return aliases[code]

    def callback(self, request: Request) -> Response:
        attempt = self._attempt(request)
        answer = request.query_params
        if error := answer.get("error"):
            raise problems.unauthorized(f"sign-in ended with {answer.get('error_description', error)}")
        try:
            session = self._client.exchange(answer.get("code", ""), attempt)
        except Refused as refused:
            raise problems.unauthorized(f"the identity provider refused the sign-in: {refused}") from refused
        response = RedirectResponse("/", 303)
        response.delete_cookie(ATTEMPT, secure=True, httponly=True)
        _set_cookie(response, SESSION, self._sessions.create(session), LIFETIME)
        return response

    def _attempt(self, request: Request) -> Attempt:
        kept = self._seal.open(request.cookies.get(ATTEMPT, ""), ATTEMPT_SECONDS)
        if kept is None:
            raise problems.bad_request("this sign-in did not begin here, or more than ten minutes ago; begin again")
        attempt = Attempt(**kept)
        if not secrets.compare_digest(attempt.state.encode(), request.query_params.get("state", "").encode()):
            raise problems.bad_request("this answer belongs to another sign-in; begin again")
        return attempt

    def sign_out(self, request: Request) -> Response:
        session_id = request.cookies.get(SESSION, "")
        session = self._sessions.read(session_id) if session_id else None
        target = self._client.sign_out_url(session.id_token) if session else "/"
        self._sessions.delete(session_id)
        response = RedirectResponse(target, 303)
        response.delete_cookie(SESSION, secure=True, httponly=True)
        return response

    def live(self, request: Request) -> Response:
        probes = {"postgres": self._sessions.ping, "backend": self._api.ping}
        return JSONResponse(health.report(self._settings.instance_code, probes), headers={"Cache-Control": "no-store"})

    def problem(self, request: Request, error: Exception) -> Response:
        """Any `Problem` as a page; a session that the backend no longer accepts ends here."""
        assert isinstance(error, Problem)
        response: Response
        if _by_program(request):
            response = self._pages.data({"error": error.error, "reason": error.reason}, error.status)
        else:
            response = self._pages.show("problem.html", error.status, problem=error)
        if error.status == 401:
            response.delete_cookie(SESSION, secure=True, httponly=True)
        return response

    def _session(self, request: Request) -> Session | None:
        session_id = request.cookies.get(SESSION)
        session = self._sessions.read(session_id) if session_id else None
        if session_id is None or session is None or session.expires - time.time() > FRESH_SECONDS:
            return session
        try:
            renewed = self._client.refresh(session)
        except Refused:  # ended at the realm: here as well
            self._sessions.delete(session_id)
            return None
        self._sessions.replace(session_id, renewed)
        return renewed


def create(settings: Settings) -> Starlette:
    """The application; nothing is asked of another service before the first request."""
    portal = Portal(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        portal.connections.open(wait=False)
        yield
        portal.connections.close()

    handlers: dict[Any, Any] = {Problem: portal.problem}
    return Starlette(
        routes=[
            Route("/", portal.home),
            Route(SESSION_PATH, portal.session),
            Route("/login", portal.sign_in),
            Route("/callback", portal.callback),
            Route("/documents/{id}", portal.document),
            Route("/logout", portal.sign_out, methods=["POST"]),
            Route("/health", portal.live),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers=handlers,
        lifespan=lifespan,
    )


def _by_program(request: Request) -> bool:
    """Whether a program asks: a browser always takes HTML, and this page has none."""
    accepted = request.headers.get("Accept", "")
    return request.url.path == SESSION_PATH or ("application/json" in accepted and "text/html" not in accepted)


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")
