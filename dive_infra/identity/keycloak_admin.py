"""Keycloak's admin REST API for a service account: small, with typed errors, no state except a token.

All sessions of a process with the same access share the token until the run's next change: a login costs a server that
may be busy more than most requests. The roles of our account are not in it; Keycloak looks them up for each request.

Answers that must not be confused are exceptions of their own: `NotFound` (the object is missing), `Forbidden` (the
account may not see or do it), `KeycloakUnreachable` (no answer, or the server is broken). `RequestRefused` is the rest:
the server understood and refused, in its own words.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import quote

import httpx

from dive_infra.config.naming import DEPLOYER, Names
from dive_infra.config.timeouts import REALM_CHANGE
from dive_infra.identity import https
from dive_infra.process.crash_points import crash_point
from dive_infra.process.probe_cache import PROBES
from dive_infra.results.errors import DiveError

_AT_PRESENT = (408, 425, 429)  # a request that took too long, came too early, or too many of them


class KeycloakError(DiveError):
    """A request to the admin API did not succeed."""


class NotFound(KeycloakError):
    """404: the realm or object does not exist."""


class Forbidden(KeycloakError):
    """401 after a fresh token, or 403: the account is unknown, or lacks the role."""


class SecretRefused(Forbidden):
    """The login itself is refused: the account does not exist, or has another secret."""


class KeycloakUnreachable(KeycloakError):
    """No TCP, no TLS, no answer in time, or a status of 500 and above."""


class RequestRefused(KeycloakError):
    """Any other answer: the request was understood and declined (409: it exists already)."""


@dataclass(frozen=True)
class KeycloakAccess:
    """The address and the login. `ca` is PEM; `realm` is the service account's realm.

    `countries`: whose Keycloak it is, if `url` has its host and not its address.
    """

    url: str
    ca: str = field(repr=False)
    client_secret: str = field(repr=False)
    client_id: str = DEPLOYER
    realm: str = "master"
    countries: tuple[Names, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def of(cls, names: Names, ca: str, client_secret: str) -> "KeycloakAccess":
        """Return the access of the deployer to the Keycloak of a country."""
        return cls(names.url("keycloak"), ca, client_secret, countries=(names,))


@dataclass(frozen=True)
class _Token:
    """What a login returned; `expires` is by this process's monotonic clock."""

    value: str = field(default="", repr=False)
    expires: float = 0.0


class _SharedToken:
    """The token that sessions share; one holds `turn` while it asks for the next."""

    def __init__(self) -> None:
        self.turn = Lock()
        self.token = _Token()


_LOGINS: dict[tuple[KeycloakAccess, int], _SharedToken] = {}  # by access and change of the run


class KeycloakAdmin:
    """A session at one Keycloak; usable as a context manager. `timeout` is in seconds, for each request."""

    def __init__(self, access: KeycloakAccess, timeout: float = REALM_CHANGE) -> None:
        self.access = access
        self._timeout = timeout
        self._http = https.client(access.ca, timeout, *access.countries)
        self._shared = _LOGINS.setdefault((access, PROBES.changes), _SharedToken())

    def __enter__(self) -> "KeycloakAdmin":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def log_in(self) -> None:
        """Log in now, with a valid token too: only this proves that the secret is accepted."""
        with self._turn():
            self._login()

    def get(self, path: str, **params: str | int | bool) -> Any:
        """Return the JSON at `/admin{path}`."""
        return self._send("GET", path, params=params).json()

    def export(self, realm: str) -> Any:
        """Return the whole realm with clients, service accounts, groups and roles; its secrets are masked."""
        asked = {"exportClients": "true", "exportGroupsAndRoles": "true"}
        return self._send("POST", f"/realms/{realm}/partial-export", params=asked).json()

    def post(self, path: str, body: object) -> str:
        """Return the id of the created object, from the Location header (empty without one)."""
        location: str = self._write("POST", path, body).headers.get("location", "")
        return location.rsplit("/", 1)[-1]

    def put(self, path: str, body: object | None = None) -> None:
        self._write("PUT", path, body)

    def delete(self, path: str, body: object | None = None) -> None:
        self._write("DELETE", path, body)

    def _write(self, method: str, path: str, body: object | None) -> httpx.Response:
        with crash_point(f"{method} at Keycloak"):
            return self._send(method, path, json=body)

    def _send(self, method: str, path: str, **how: Any) -> httpx.Response:
        url = f"{self.access.url}/admin{quote(path, safe='/')}"
        token = self._token()
        response = self._request(method, url, headers=_bearer(token), **how)
        if response.status_code == 401:  # the server may have restarted with other keys, or the session was ended
            response = self._request(method, url, headers=_bearer(self._token(refused=token)), **how)
        self._raise(response, f"{method} {path}")
        return response

    def _token(self, refused: _Token | None = None) -> _Token:
        """Return the shared token; log in if it has expired or is `refused`, unless another session does."""
        if self._usable(refused):
            return self._shared.token
        with self._turn():
            if not self._usable(refused):
                self._login()
            return self._shared.token

    def _usable(self, refused: _Token | None) -> bool:
        token = self._shared.token
        return token is not refused and time.monotonic() < token.expires

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the login of another session, but no longer than for an answer; then go on without it."""
        ours = self._shared.turn.acquire(timeout=self._timeout)
        try:
            yield
        finally:
            if ours:
                self._shared.turn.release()

    def _login(self) -> None:
        a = self.access
        form = {"grant_type": "client_credentials", "client_id": a.client_id, "client_secret": a.client_secret}
        url = f"{a.url}/realms/{a.realm}/protocol/openid-connect/token"
        response = self._request("POST", url, data=form)
        if response.status_code in (400, 401):
            refused = SecretRefused if response.status_code == 401 else Forbidden
            raise refused(f"{a.url} refused service account {a.client_id!r} of realm {a.realm!r}: {_words(response)}")
        self._raise(response, f"log in as {a.client_id!r} of realm {a.realm!r}")
        answer = response.json()
        self._shared.token = _Token(answer["access_token"], time.monotonic() + answer["expires_in"] * 0.8)

    def _request(self, method: str, url: str, **how: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, **{k: v for k, v in how.items() if v is not None})
        except httpx.HTTPError as error:
            raise KeycloakUnreachable(f"{self.access.url} is out of reach: {error or type(error).__name__}") from None

    def _raise(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        if status < 300:
            return
        kind = {401: Forbidden, 403: Forbidden, 404: NotFound}.get(
            status, KeycloakUnreachable if status >= 500 or status in _AT_PRESENT else RequestRefused
        )
        raise kind(f"{what} at {self.access.url}: {status} {_words(response)}")


def _bearer(token: _Token) -> dict[str, str]:
    return {"authorization": f"Bearer {token.value}"}


def _words(response: httpx.Response) -> str:
    """Return Keycloak's own words in an error answer."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:200] or response.reason_phrase
    if not isinstance(body, dict):
        return str(body)[:200]
    found = [str(body[key]) for key in ("errorMessage", "error_description", "reason", "error") if body.get(key)]
    return found[0] if found else str(body)[:200]
