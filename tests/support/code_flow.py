"""The authorization code flow as a portal makes it, with the portal's own secret: proves identity providers alone.

It stops where the portal would take over, and exchanges the code itself.
"""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx
import jwt

from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.identity.browser import Browser, LoginFailed
from dive_infra.identity.link_data import certificates
from dive_infra.identity.realm_data import PORTAL_AUDIENCE


@dataclass(frozen=True)
class LoginResult:
    """A completed login. `hosts` were visited in this order; `claims` are the access token's, `identity` the ID
    token's, both with signature, issuer, audience and times checked; `seconds` is the whole duration."""

    hosts: tuple[str, ...]
    claims: Mapping[str, Any]
    identity: Mapping[str, Any]
    seconds: float
    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def login(
    portal: Names,
    via: Names,
    username: str,
    password: str,
    client_secret: str,
    ca: str,
    timeout: float = 30.0,
    override: Mapping[str, str | None] | None = None,
) -> LoginResult:
    """Logs in at the client of portal's portal; `via` is the person's country, `portal` itself or a partner.

    `timeout` (seconds) bounds each request. `override` replaces parameters of the authorization request, None drops
    one: for what must fail. Raises `LoginFailed`.
    """
    with https.client(ca, timeout, portal, via) as http:
        browser = Browser(http, via.host("keycloak"), username, password)
        return _CodeFlow(browser, portal, via, client_secret).run(override or {})


class _CodeFlow:
    def __init__(self, browser: Browser, portal: Names, via: Names, client_secret: str) -> None:
        self.browser, self.portal, self.via, self.secret = browser, portal, via, client_secret
        self.verifier, self.state, self.nonce = (secrets.token_urlsafe(48) for _ in range(3))
        self.redirect_uri = f"{portal.url('frontend')}/callback"
        self.endpoint = f"{portal.issuer}/protocol/openid-connect"

    def run(self, override: Mapping[str, str | None]) -> LoginResult:
        begin = time.monotonic()
        request = {k: v for k, v in {**self._request(), **override}.items() if v is not None}
        start = httpx.URL(f"{self.endpoint}/auth", params=request)
        back = self.browser.walk(start, lambda there: str(there).startswith(f"{self.redirect_uri}?"))
        tokens = self._exchange(self._code(back))
        keys = jwt.PyJWKSet.from_dict(self.browser.json("keys", "GET", certificates(self.portal, self.portal)))
        identity = self._verified("ID token", tokens["id_token"], keys, self.portal.client)
        if identity.get("nonce") != self.nonce:
            raise LoginFailed("ID token", self.portal.host("keycloak"), "the nonce that was sent", "another")
        claims = self._verified("access token", tokens["access_token"], keys, PORTAL_AUDIENCE)
        return LoginResult(
            hosts=tuple(self.browser.hosts),
            claims=claims,
            identity=identity,
            seconds=time.monotonic() - begin,
            **{kind: tokens[kind] for kind in ("access_token", "id_token", "refresh_token")},
        )

    def _request(self) -> dict[str, str]:
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        request = {
            "client_id": self.portal.client,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return request if self.via == self.portal else {**request, "kc_idp_hint": self.via.idp_alias}

    def _code(self, back: httpx.URL) -> str:
        if back.params.get("state") != self.state:
            raise LoginFailed("redirect", back.host, "the state that was sent", repr(back.params.get("state")))
        if "code" not in back.params:
            found = back.params.get("error_description") or back.params.get("error")
            raise LoginFailed("redirect", back.host, "a code", repr(found))
        return back.params["code"]

    def _exchange(self, code: str) -> Mapping[str, str]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "client_id": self.portal.client,
            "client_secret": self.secret,
        }
        tokens: Mapping[str, str] = self.browser.json("token request", "POST", f"{self.endpoint}/token", data=form)
        return tokens

    def _verified(self, what: str, token: str, keys: jwt.PyJWKSet, audience: str) -> dict[str, Any]:
        try:
            key = keys[jwt.get_unverified_header(token)["kid"]]
            return jwt.decode(token, key, ["RS256"], audience=audience, issuer=self.portal.issuer, leeway=5)
        except (jwt.InvalidTokenError, KeyError) as error:
            wanted = f"signed by {self.portal.issuer} for {audience}"
            raise LoginFailed(what, self.portal.host("keycloak"), wanted, str(error)) from None
