"""A person's login at a country's portal, at home or through a partner, as a browser would do it, without one.

The probe follows the authorization code flow over verified TLS: request, redirects, login form, redirects, code,
tokens. It stops where the portal would take over, so it proves the identity providers alone. Nothing is retried: it
works, or `LoginFailed` says at which step and host it stopped and what Keycloak said.
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
from selectolax.lexbor import LexborHTMLParser

from dive_infra.identity import web
from dive_infra.identity.link_data import certificates
from dive_infra.identity.realm_data import AUDIENCE
from dive_infra.naming import Names

_HOPS = 15
# Where Keycloak's pages say what is wrong.
_COMPLAINTS = ", ".join(
    (
        "#kc-error-message .instruction",
        "#input-error",
        "#input-error-username",
        ".kc-feedback-text",
        ".alert-error",
        "[class*=alert__title]",
    )
)


class LoginFailed(RuntimeError):
    """`step` of the login, the `host` that answered, what was `expected` and what was `found`."""

    def __init__(self, step: str, host: str, expected: str, found: str) -> None:
        super().__init__(f"{step} at {host}: expected {expected}, found {found}")
        self.step, self.host, self.expected, self.found = step, host, expected, found


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
    one: for the probes that must fail. Raises `LoginFailed`.
    """
    with web.client(ca, timeout) as http:
        http.headers["accept-language"] = "en"  # a country's pages speak its language; what is reported is English
        return _Login(http, portal, via, client_secret).run(username, password, override or {})


class _Login:
    def __init__(self, http: httpx.Client, portal: Names, via: Names, client_secret: str) -> None:
        self.http, self.portal, self.via, self.secret = http, portal, via, client_secret
        self.verifier, self.state, self.nonce = (secrets.token_urlsafe(48) for _ in range(3))
        self.redirect_uri = f"{portal.url('frontend')}/callback"
        self.endpoint = f"{portal.issuer}/protocol/openid-connect"
        self.hosts: list[str] = []

    def run(self, username: str, password: str, override: Mapping[str, str | None]) -> LoginResult:
        begin = time.monotonic()
        request = {k: v for k, v in {**self._request(), **override}.items() if v is not None}
        back = self._walk(httpx.URL(f"{self.endpoint}/auth", params=request), username, password)
        tokens = self._exchange(self._code(back))
        keys = jwt.PyJWKSet.from_dict(self._json("keys", "GET", certificates(self.portal)))
        identity = self._verified("ID token", tokens["id_token"], keys, self.portal.client)
        if identity.get("nonce") != self.nonce:
            raise self._failed("ID token", self.portal.host("keycloak"), "the nonce that was sent", "another")
        claims = self._verified("access token", tokens["access_token"], keys, AUDIENCE)
        return LoginResult(
            hosts=tuple(self.hosts),
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

    def _walk(self, url: httpx.URL, username: str, password: str) -> httpx.URL:
        """Follows the redirects and fills the login form once; returns the address that the portal would receive."""
        form: dict[str, str] | None = None
        asked = False
        for _ in range(_HOPS):
            if self.hosts[-1:] != [url.host]:
                self.hosts.append(url.host)
            method = "GET" if form is None else "POST"
            answer = self._send("login" if asked else "authorization request", method, url, data=form)
            form = None
            if answer.is_redirect:
                url = url.join(answer.headers["location"])
                if str(url).startswith(f"{self.redirect_uri}?"):
                    self.hosts.append(url.host)
                    return url
                continue
            url, form = self._form(answer, url, asked, username, password)
            asked = True
        raise self._failed("login", url.host, f"an end after {_HOPS} steps", "one more redirect")

    def _form(
        self, answer: httpx.Response, url: httpx.URL, asked: bool, username: str, password: str
    ) -> tuple[httpx.URL, dict[str, str]]:
        """Where the login form of this page goes, and with what."""
        page = LexborHTMLParser(answer.text)
        step, home = "login" if asked else "authorization request", self.via.host("keycloak")
        complaints = dict.fromkeys(node.text(strip=True) for node in page.css(_COMPLAINTS))
        words = "; ".join(filter(None, complaints))
        login = page.css_first("form#kc-form-login")
        if login is None or words:
            title = page.css_first("title")
            found = words or (title.text(strip=True) if title else "") or answer.text[:80]
            wanted = "a redirect" if asked else "the login form"
            raise self._failed(step, url.host, wanted, f"{answer.status_code} {found!r}")
        if url.host != home:
            raise self._failed(step, url.host, f"the login form of {home}", "a login form of its own")
        if asked:
            raise self._failed(step, url.host, "a redirect", "the login form again")
        hidden = {
            str(node.attributes["name"]): node.attributes.get("value") or ""
            for node in login.css("input[type=hidden][name]")
        }
        return url.join(login.attributes.get("action") or ""), {**hidden, "username": username, "password": password}

    def _code(self, back: httpx.URL) -> str:
        if back.params.get("state") != self.state:
            raise self._failed("redirect", back.host, "the state that was sent", repr(back.params.get("state")))
        if "code" not in back.params:
            found = back.params.get("error_description") or back.params.get("error")
            raise self._failed("redirect", back.host, "a code", repr(found))
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
        tokens: Mapping[str, str] = self._json("token request", "POST", f"{self.endpoint}/token", data=form)
        return tokens

    def _verified(self, what: str, token: str, keys: jwt.PyJWKSet, audience: str) -> dict[str, Any]:
        host = self.portal.host("keycloak")
        try:
            key = keys[jwt.get_unverified_header(token)["kid"]]
            return jwt.decode(token, key, ["RS256"], audience=audience, issuer=self.portal.issuer, leeway=5)
        except (jwt.InvalidTokenError, KeyError) as error:
            raise self._failed(what, host, f"signed by {self.portal.issuer} for {audience}", str(error)) from None

    def _json(self, step: str, method: str, url: str, **how: Any) -> Any:
        answer = self._send(step, method, httpx.URL(url), **how)
        if answer.status_code != 200:
            raise self._failed(step, answer.url.host, "200", f"{answer.status_code} {answer.text[:200]}")
        return answer.json()

    def _send(self, step: str, method: str, url: httpx.URL, **how: Any) -> httpx.Response:
        try:
            return self.http.request(method, url, **how)
        except httpx.HTTPError as error:
            raise self._failed(step, url.host, "an answer", str(error) or type(error).__name__) from None

    def _failed(self, step: str, host: str, expected: str, found: str) -> LoginFailed:
        return LoginFailed(step, host, expected, found)
