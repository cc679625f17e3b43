"""A person's login at a country's portal, at home or through a partner, by the portal's own pages.

The portal verifies the tokens and keeps them; a check knows only what its session returns (`/session`) and opens
(`/documents/<id>`). Therefore a login at a partner needs from the partner only what the person has: a password.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.identity.browser import Browser

_JSON = {"accept": "application/json"}


@dataclass(frozen=True)
class PortalSession:
    """A signed-in person at the portal. `hosts` were visited in this order; `claims` are those that the country's
    services see, of a token of `issuer`; `seconds` is how long the login took."""

    portal: str
    hosts: tuple[str, ...]
    claims: Mapping[str, Any]
    issuer: str
    seconds: float
    http: httpx.Client = field(repr=False)

    def document(self, identifier: str) -> httpx.Response:
        """Return the portal's answer: 200 with `content`, 403 with `reason` and `check`; raises httpx's HTTPError."""
        return self.http.get(f"{self.portal}/documents/{identifier}", headers=_JSON)


@contextmanager
def login(
    portal: Names, via: Names, username: str, password: str, ca: str, timeout: float = 30.0
) -> Iterator[PortalSession]:
    """Log in at portal's portal; `via` is the person's country, `portal` itself or a partner.

    `timeout` (seconds) bounds each request. Raises `LoginFailed`.
    """
    begin, url = time.monotonic(), portal.url("frontend")
    partner = {} if via == portal else {"idp": via.country.code}
    with https.client(ca, timeout, portal, via) as http:
        browser = Browser(http, via.host("keycloak"), username, password)
        browser.walk(httpx.URL(f"{url}/login", params=partner), lambda there: str(there) == f"{url}/")
        found = browser.json("session", "GET", f"{url}/session", headers=_JSON)
        seconds = time.monotonic() - begin
        yield PortalSession(url, tuple(browser.hosts), found["claims"], found["issuer"], seconds, http)
