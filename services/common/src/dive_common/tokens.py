"""Verification of tokens with the keys that their OpenID Connect issuer publishes.

Keys are fetched when a token first needs them, so a service can start before its realm exists.
"""

import logging
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt

from dive_common.live_file import LiveFile
from dive_common.partners import linked
from dive_common.problems import forbidden, unauthorized, unavailable
from dive_common.settings import ResourceServerSettings

log = logging.getLogger("dive.tokens")
_PROBE = re.compile("probe-([a-z]{3})-([a-z]{3})")  # of the first country, issued to the second

Claims = Mapping[str, Any]

ALGORITHMS = ("RS256", "PS256", "ES256")
PORTAL_AUDIENCE = "dive-v3-backend"  # of every access token that the portal's client receives
REFETCH_SECONDS = 10.0  # an unknown key id causes at most one request to the issuer in this time
LEEWAY_SECONDS = 10


class TokenIssuer:
    """One issuer: its discovery document and its signing keys."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self._http = http
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")

    def _get(self, url: str) -> dict[str, Any]:
        try:
            response = self._http.get(url).raise_for_status()
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("identity provider", f"{url}: {error}") from error
        return body

    def metadata(self) -> Mapping[str, Any]:
        """Return the discovery document; raise `HttpProblem` 503 unless its `issuer` is our URL."""
        if not self._metadata:
            found = self._get(f"{self.url}/.well-known/openid-configuration")
            if found.get("issuer") != self.url:
                raise unavailable("identity provider", f"issuer is {found.get('issuer')!r}; expected {self.url!r}")
            self._metadata = found
        return self._metadata

    def _key(self, kid: str) -> jwt.PyJWK:
        with self._lock:
            if kid not in self._keys and time.monotonic() - self._fetched > REFETCH_SECONDS:
                keys = self._get(self.metadata()["jwks_uri"]).get("keys", [])
                signing = [key for key in keys if key.get("use", "sig") == "sig"]
                self._keys = {key["kid"]: jwt.PyJWK(key) for key in signing}
                self._fetched = time.monotonic()
            if kid not in self._keys:
                raise unauthorized("the token is signed with a key that its issuer does not publish")
            return self._keys[kid]

    def decode(self, token: str, audience: str | None = None) -> Claims:
        """Return the claims of a token after checking its signature, its times and, if given, its audience.

        Raise `HttpProblem` 401 for an invalid token, 503 if the keys cannot be fetched.
        """
        try:
            header = jwt.get_unverified_header(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(str(header.get("kid"))),
                algorithms=ALGORITHMS,
                issuer=self.url,
                audience=audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": audience is not None},
            )
        except jwt.InvalidTokenError as error:
            raise unauthorized(f"the token is not valid: {error}") from error
        return claims


def bearer_token(authorization: str | None, expected: str = "a bearer token") -> str:
    """Return the token of an `Authorization` header; raise `HttpProblem` 401 if it has none."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized(f"the Authorization header has no bearer token; expected {expected}")
    return token.strip()


class AccessTokens:
    """Verifies bearer tokens meant for this country's services, of its own people and those of its partners."""

    def __init__(self, settings: ResourceServerSettings, http: httpx.Client) -> None:
        self._issuers = {url: TokenIssuer(url, http) for url in settings.issuers}
        self._own = settings.instance_code
        self._partners = LiveFile(settings.files.path("partners.json"), linked)

    def verify(self, authorization: str | None) -> tuple[str, Claims]:
        """Return the token of an `Authorization` header, and its claims; raise `HttpProblem` 401, 403 or 503.

        The token needs a trusted issuer and the portal's audience. An ID token is refused, and with 403 a person of a
        country to which this one has no link, or whose agreement has ended, and a probe person that was issued to
        another country: that one knows its password. The claims of a partner's person are those that the agreement
        covers.
        """
        token = bearer_token(authorization)
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.InvalidTokenError as error:
            raise unauthorized(f"the token cannot be read: {error}") from error
        if issuer not in self._issuers:
            raise unauthorized(f"issuer {issuer!r} is not trusted; expected {' or '.join(self._issuers)}")
        claims = self._issuers[issuer].decode(token, PORTAL_AUDIENCE)
        if claims.get("typ") != "Bearer":
            raise unauthorized(f"the token's type is {claims.get('typ')!r}; expected an access token (Bearer)")
        country = claims.get("countryOfAffiliation")  # without one, the policy denies
        name = claims.get("uniqueID")
        if (
            isinstance(name, str)
            and (probe := _PROBE.fullmatch(name))
            and probe[2] not in (probe[1], self._own.lower())
        ):
            raise forbidden(f"{name} proves the link of another country", {"check": "federation"})
        if country is None or country == self._own:
            return token, claims
        agreement = self._partners.value().get(str(country))
        if agreement is None:
            log.warning("%s of %s refused: no link", name, country)
            raise forbidden(f"{self._own} has no link to {country}", {"check": "federation"})
        if agreement.ended(datetime.now(UTC)):
            log.warning("%s of %s refused: the agreement has ended", name, country)
            end = f"{agreement.expires:%Y-%m-%d %H:%M:%S} UTC"
            raise forbidden(f"the agreement on people of {country} ended at {end}", {"check": "agreement"})
        return token, agreement.believed(claims)
