"""The portal as an OpenID Connect client of its own realm: authorization code with PKCE, refresh, sign-out."""

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from dive_common.problems import unauthorized, unavailable
from dive_common.tokens import TokenIssuer
from dive_frontend.sessions import Session

SCOPE = "openid profile email"


class TokenRefused(Exception):
    """The realm refused a code or a refresh token; the message is the realm's."""


@dataclass(frozen=True)
class Attempt:
    """What a sign-in must return unchanged; a sealed cookie holds it meanwhile."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


class OidcClient:
    """The confidential client of one realm; `portal_url` has no trailing slash."""

    def __init__(self, issuer: TokenIssuer, client_id: str, secret: str, portal_url: str, http: httpx.Client) -> None:
        self._issuer = issuer
        self._id = client_id
        self._secret = secret
        self._portal = portal_url
        self._http = http

    @property
    def _redirect(self) -> str:
        return f"{self._portal}/callback"

    def sign_in_url(self, attempt: Attempt, idp_alias: str | None) -> str:
        """Return where to send the browser; with `idp_alias` the realm redirects it to that partner."""
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        question = {
            "response_type": "code",
            "client_id": self._id,
            "redirect_uri": self._redirect,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        hint = {"kc_idp_hint": idp_alias} if idp_alias else {}
        return f"{self._issuer.metadata()['authorization_endpoint']}?{urlencode(question | hint)}"

    def sign_out_url(self, id_token: str) -> str:
        question = {
            "client_id": self._id,
            "id_token_hint": id_token,
            "post_logout_redirect_uri": f"{self._portal}/",
        }
        return f"{self._issuer.metadata()['end_session_endpoint']}?{urlencode(question)}"

    def exchange(self, code: str, attempt: Attempt) -> Session:
        """Exchange an authorization code for a session; the ID token must carry our nonce.

        Raise `TokenRefused`, or `HttpProblem` 401 (invalid ID token) or 503.
        """
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": attempt.verifier,
        }
        session = self._grant(grant)
        claims = self._issuer.decode(session.id_token, audience=self._id)
        if claims.get("nonce") != attempt.nonce:
            raise unauthorized("the ID token belongs to another sign-in; sign in again")
        return session

    def refresh(self, session: Session) -> Session:
        """Return the session with a new access token; raise `TokenRefused` if it has ended, or `HttpProblem` 503."""
        return self._grant({"grant_type": "refresh_token", "refresh_token": session.refresh_token}, session.id_token)

    def _grant(self, form: dict[str, str], id_token: str = "") -> Session:
        try:
            response = self._http.post(
                self._issuer.metadata()["token_endpoint"], data=form, auth=(self._id, self._secret)
            )
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("identity provider", error) from error
        if response.status_code in (400, 401):
            raise TokenRefused(str(body.get("error_description") or body.get("error")))
        try:
            return Session(
                access_token=body["access_token"],
                refresh_token=body["refresh_token"],
                id_token=body.get("id_token") or id_token,
                expires=time.time() + float(body["expires_in"]),
            )
        except KeyError as error:
            raise unavailable("identity provider", f"HTTP {response.status_code}, no {error} in its answer") from error
