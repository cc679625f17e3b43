"""The hub's link gateway: an approved country manages its side of its own federation link, and nothing else.

Below `/api/link` it has the interface of Keycloak, so that a spoke's stack declares its link as it would there. A
country logs in with a service account of the hub's realm that has no role. `links.json` lists, object by object, what
the country may read and write, and changes while this runs; the gateway's own account carries it out. A body that
differs from the agreed object is refused with the differences.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dive_common import problems
from dive_common.live_file import LiveFile
from dive_common.settings import ServiceFiles
from dive_common.tokens import TokenIssuer, bearer_token

BASE = "/api/link"
Json = dict[str, Any]

_PROVIDER = r"identity-provider/instances/(?P<alias>[^/]+)"
_CLIENT = r"clients/(?P<client>[0-9a-f-]{36})"
_MAPPER = _PROVIDER + r"/mappers/(?P<mapper>[0-9a-f-]{36})"

# What a declaration adds to the agreed object: identifiers, secrets, and values that are Keycloak's defaults.
_IDENTIFIERS = frozenset(("id", "internalId", "identityProviderAlias", "secret", "clientSecret"))
_DEFAULTS: Mapping[str, Any] = {
    "protocol": "openid-connect",
    "use.refresh.tokens": "true",
    "displayName": None,
}


@dataclass(frozen=True)
class _Ask:
    """A request of a country; `path` is relative to the realm."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise problems.bad_request("the body is not a JSON object")
        return found


def _policy(text: str) -> Json:
    found = json.loads(text)
    if not (isinstance(found, dict) and isinstance(found.get("countries"), dict)):
        raise ValueError("expected an object with `countries`")
    return found


class LinkGateway:
    """Forwards what `links.json` permits to Keycloak, with the gateway's own token (secret `link-gateway`)."""

    def __init__(self, files: ServiceFiles) -> None:
        self._live = LiveFile(files.path("links.json"), _policy)
        self._policy = self._live.value()  # all but the countries is as lasting as the service
        self._secret, self._http = files.secret("link-gateway"), files.http()
        self._realm = f"{self._policy['keycloak']}/realms/{self._policy['realm']}"
        self._admin = f"{self._policy['keycloak']}/admin/realms/{self._policy['realm']}"
        self._issuer = TokenIssuer(self._realm, self._http)
        self._lock = threading.Lock()
        self._token, self._expires = "", 0.0

    def routes(self) -> list[Route]:
        realm = self._policy["realm"]
        return [
            Route(f"{BASE}/realms/{realm}/protocol/openid-connect/token", self.token, methods=["POST"]),
            Route(f"{BASE}/admin/serverinfo", self.version),
            Route(f"{BASE}/admin/realms/{realm}/{{path:path}}", self.admin, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("latin-1")))
        return await run_in_threadpool(self.login, form)

    def version(self, request: Request) -> Response:
        self.country(request.headers.get("Authorization"))
        return JSONResponse({"systemInfo": {"version": self._policy["version"]}})

    async def admin(self, request: Request) -> Response:
        body = await request.body()
        link = await run_in_threadpool(self.country, request.headers.get("Authorization"))
        ask = _Ask(request.method, request.path_params["path"], dict(request.query_params), body)
        return await run_in_threadpool(self.carry_out, link, ask)

    def login(self, form: Mapping[str, str]) -> Response:
        """Forward a country's login to Keycloak, which verifies its secret."""
        if form.get("grant_type") != "client_credentials" or form.get("client_id") not in self._countries():
            return JSONResponse({"error": "unauthorized_client"}, 401)
        wanted = ("grant_type", "client_id", "client_secret")
        kept = {name: form[name] for name in wanted if name in form}
        return _forwarded(self._send("POST", f"{self._realm}/protocol/openid-connect/token", data=kept))

    def country(self, authorization: str | None) -> Json:
        """Return the agreed objects of the country whose token this is; raise `HttpProblem` 401, 403 or 503."""
        claims = self._issuer.decode(bearer_token(authorization))
        account = str(claims.get("azp"))
        is_account = claims.get("preferred_username") == f"service-account-{account}" and claims.get("typ") == "Bearer"
        link = self._countries().get(account)
        if not is_account or link is None:
            raise problems.forbidden(f"{account!r} may not manage any link here")
        return link

    def _countries(self) -> Mapping[str, Json]:
        """Return the approved countries at present: account -> the agreed objects."""
        found: Mapping[str, Json] = self._live.value()["countries"]
        return found

    def carry_out(self, link: Json, ask: _Ask) -> Response:
        """Forward a request about the country's own link; raise `HttpProblem` 403 for any other."""
        for methods, pattern, check, recreates in _RULES:
            found = re.fullmatch(pattern, ask.path)
            if found and ask.method in methods:
                check(self, link, ask, found.groupdict())
                if recreates:
                    self._delete_federated_users(link["provider"]["alias"])
                break
        else:
            raise problems.forbidden(f"{ask.method} {ask.path} is not part of a link")
        sent = {"content": ask.body, "headers": {"content-type": "application/json"}} if ask.body else {}
        answer = self._as_gateway(ask.method, f"{self._admin}/{quote(ask.path)}", params=dict(ask.query), **sent)
        own = f"{self._policy['keycloak']}/admin/"
        return _forwarded(answer, lambda location: location.replace(own, f"{BASE}/admin/"))

    def _delete_federated_users(self, alias: str) -> None:
        """Delete the accounts that logins through the link created, then clear Keycloak's user cache.

        With the link, Keycloak forgets which partner an account belongs to. A person who logs in through the next link
        would then be refused as a stranger whose user name is taken. The cache keeps a link that someone else deleted.
        """
        deleted = False
        while users := self._federated_users(alias):
            deleted = True
            for user in users:
                answer = self._as_gateway("DELETE", f"{self._admin}/users/{user}")
                _expect(answer, (204, 404), f"deleting a user of {alias}")
        if deleted:
            answer = self._as_gateway("POST", f"{self._admin}/clear-user-cache")
            _expect(answer, (204,), f"clearing the user cache of {alias}")

    def _federated_users(self, alias: str) -> list[str]:
        """Return the ids of up to 200 accounts that logins through the link created."""
        query = {"search": f"{alias}.*", "briefRepresentation": "true", "max": "200"}
        answer = self._as_gateway("GET", f"{self._admin}/users", params=query)
        _expect(answer, (200,), f"the users of {alias}")
        return [user["id"] for user in answer.json() if user["username"].startswith(f"{alias}.")]

    def read(self, path: str) -> Json:
        """Return an object of the realm; {} if it does not exist."""
        answer = self._as_gateway("GET", f"{self._admin}/{quote(path)}")
        if answer.status_code == 404:
            return {}
        _expect(answer, (200,), path)
        found: Json = answer.json()
        return found

    def _as_gateway(self, method: str, url: str, **how: Any) -> httpx.Response:
        answer = self._with(self._own_token(), method, url, how)
        if answer.status_code == 401:  # the realm was recreated, or its tokens were revoked
            answer = self._with(self._own_token(fresh=True), method, url, how)
        return answer

    def _with(self, token: str, method: str, url: str, how: Mapping[str, Any]) -> httpx.Response:
        headers = {**how.get("headers", {}), "authorization": f"Bearer {token}"}
        return self._send(method, url, **{**how, "headers": headers})

    def _own_token(self, fresh: bool = False) -> str:
        with self._lock:
            if fresh or time.monotonic() >= self._expires:
                form = {"grant_type": "client_credentials", "client_id": self._policy["gateway"]}
                url = f"{self._realm}/protocol/openid-connect/token"
                answer = self._send("POST", url, data={**form, "client_secret": self._secret})
                _expect(answer, (200,), "the gateway's own login")
                found = answer.json()
                self._token, self._expires = found["access_token"], time.monotonic() + found["expires_in"] * 0.8
            return self._token

    def _send(self, method: str, url: str, **how: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, **how)
        except httpx.HTTPError as error:
            raise problems.unavailable("Keycloak", error) from error


_Check = Callable[[LinkGateway, Json, _Ask, Mapping[str, str]], None]


def _own_provider(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    if part["alias"] != link["provider"]["alias"]:
        raise problems.forbidden(f"{part['alias']} belongs to another country's link")
    if ask.method == "PUT":
        _agreed_provider(gateway, link, ask, part)


def _agreed_provider(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _same("identity provider", link["provider"], ask.json())


def _own_mapper(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    """Check the mapper's provider: Keycloak finds a mapper by its id and ignores the provider in the path."""
    _own_provider(gateway, link, _Ask("GET", ask.path, {}, b""), part)
    found = gateway.read(ask.path)
    if found and found.get("identityProviderAlias") != link["provider"]["alias"]:
        raise problems.forbidden("this mapper belongs to another country's link")
    if ask.method == "PUT":
        _agreed_mapper(gateway, link, ask, part)


def _agreed_mapper(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _own_provider(gateway, link, _Ask("GET", ask.path, {}, b""), part)
    body = ask.json()
    name, alias = str(body.get("name")), body.get("identityProviderAlias")
    if name not in link["mappers"] or alias != link["provider"]["alias"]:
        raise problems.forbidden(f"mapper {name!r} of {alias!r} is not part of this link")
    _same(f"mapper {name}", {"name": name, **link["mappers"][name]}, body)


def _own_client(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    found = gateway.read(f"clients/{part['client']}")
    if found and found.get("clientId") != link["client"]["clientId"]:
        raise problems.forbidden("this client is not part of this link")
    if ask.method == "PUT":
        _agreed_client(gateway, link, ask, part)


def _agreed_client(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _same("client", link["client"], ask.json())


def _search_of_client(gateway: LinkGateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    if dict(ask.query) != {"clientId": link["client"]["clientId"]}:
        raise problems.forbidden(f"expected a search for the client {link['client']['clientId']} of this link")


# methods, path below the realm, check, whether the request creates or deletes the whole link
_RULES: tuple[tuple[tuple[str, ...], str, _Check, bool], ...] = (
    (("POST",), "identity-provider/instances", _agreed_provider, True),
    (("DELETE",), _PROVIDER, _own_provider, True),
    (("GET", "PUT"), _PROVIDER, _own_provider, False),
    (("GET",), f"{_PROVIDER}/mappers", _own_provider, False),
    (("POST",), f"{_PROVIDER}/mappers", _agreed_mapper, False),
    (("GET", "PUT", "DELETE"), _MAPPER, _own_mapper, False),
    (("POST",), "clients", _agreed_client, False),
    (("GET",), "clients", _search_of_client, False),
    (("GET", "PUT", "DELETE"), _CLIENT, _own_client, False),
    (("GET",), f"{_CLIENT}/client-secret", _own_client, False),
)


def _same(what: str, agreed: Json, found: Json) -> None:
    """Raise `HttpProblem` 403 with the differences unless `found` says exactly what was agreed."""
    a, b = _leaves(agreed), _leaves(found)
    off = sorted(k for k in {*a, *b} if a.get(k) != b.get(k) and not (k not in a and _harmless(k, b[k])))
    if off:
        wanted, came = ({k: side.get(k) for k in off} for side in (a, b))
        raise problems.forbidden(f"the {what} differs from what was agreed", {"expected": wanted, "found": came})


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return each set value by its path; unset, empty and false are equal, `true` equals "true", lists are sorted."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in _leaves(inner, f"{prefix}/{key}").items()}
    if value in (None, "", False, "false", [], {}):
        return {}
    if isinstance(value, list):
        return {prefix: sorted(map(str, value))}
    if isinstance(value, str) and "##" in value:
        return {prefix: sorted(value.split("##"))}
    return {prefix: str(value).lower() if isinstance(value, bool) else str(value)}


def _harmless(path: str, value: Any) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name in _IDENTIFIERS or (name in _DEFAULTS and _DEFAULTS[name] == value)


def _expect(answer: httpx.Response, statuses: tuple[int, ...], asked: str) -> None:
    if answer.status_code not in statuses:
        raise problems.unavailable("Keycloak", f"HTTP {answer.status_code} for {asked}")


def _forwarded(answer: httpx.Response, moved: Callable[[str], str] = str) -> Response:
    """Return Keycloak's answer unchanged, except that a Location stays inside the gateway."""
    headers = {"Cache-Control": "no-store"}
    if "location" in answer.headers:
        headers["Location"] = moved(answer.headers["location"])
    kind = answer.headers.get("content-type", "application/json")
    return Response(answer.content, answer.status_code, headers, media_type=kind)
