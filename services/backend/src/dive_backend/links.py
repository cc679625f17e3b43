"""The hub's link gateway: a country that the hub approves manages its side of its federation link, and nothing else.

Below `/api/link` it looks like Keycloak to the one who declares links. A country logs in with a service account of the
hub's realm that has no role; what the country may read and write stands in `links.json`, object by object, and is done
for it by the gateway's own account. A body that is not exactly the agreed object is refused, and names what differs.
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

from dive_backend.settings import Settings
from dive_common import problems
from dive_common.tokens import Issuer

BASE = "/api/link"
Json = dict[str, Any]

_PROVIDER = r"identity-provider/instances/(?P<alias>[^/]+)"
_CLIENT = r"clients/(?P<client>[0-9a-f-]{36})"
_MAPPER = _PROVIDER + r"/mappers/(?P<mapper>[0-9a-f-]{36})"

# What a declaration adds to the agreed object: marks of identity, and values that are Keycloak's defaults.
_MARKS = frozenset(("id", "internalId", "identityProviderAlias", "secret", "clientSecret"))
_DEFAULTS: Mapping[str, Any] = {
    "protocol": "openid-connect",
    "use.refresh.tokens": "true",
    "displayName": None,
}


def routes(settings: Settings) -> list[Route]:
    """The gateway's routes; `links.json` and the secret `link-gateway` are read from the files' directory."""
    policy = json.loads((settings.files / "links.json").read_text())
    gateway = _Gateway(policy, settings.paths.secret("link-gateway"), settings.paths.http())

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("latin-1")))
        return await run_in_threadpool(gateway.login, form)

    async def version(request: Request) -> Response:
        await run_in_threadpool(gateway.country, request.headers.get("Authorization"))
        return JSONResponse({"systemInfo": {"version": policy["version"]}})

    async def admin(request: Request) -> Response:
        body = await request.body()
        link = await run_in_threadpool(gateway.country, request.headers.get("Authorization"))
        ask = _Ask(request.method, request.path_params["path"], dict(request.query_params), body)
        return await run_in_threadpool(gateway.carry_out, link, ask)

    realm = policy["realm"]
    return [
        Route(f"{BASE}/realms/{realm}/protocol/openid-connect/token", token, methods=["POST"]),
        Route(f"{BASE}/admin/serverinfo", version),
        Route(f"{BASE}/admin/realms/{realm}/{{path:path}}", admin, methods=["GET", "POST", "PUT", "DELETE"]),
    ]


@dataclass(frozen=True)
class _Ask:
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


class _Gateway:
    def __init__(self, policy: Json, secret: str, http: httpx.Client) -> None:
        self._policy, self._secret, self._http = policy, secret, http
        self._realm = f"{policy['keycloak']}/realms/{policy['realm']}"
        self._admin = f"{policy['keycloak']}/admin/realms/{policy['realm']}"
        self._issuer = Issuer(self._realm, http)
        self._lock = threading.Lock()
        self._token, self._expires = "", 0.0

    def login(self, form: Mapping[str, str]) -> Response:
        """Passes a country's login on to Keycloak, which judges its secret."""
        if form.get("grant_type") != "client_credentials" or form.get("client_id") not in self._policy["countries"]:
            return JSONResponse({"error": "unauthorized_client"}, 401)
        wanted = ("grant_type", "client_id", "client_secret")
        return _passed(self._send("POST", f"{self._realm}/protocol/openid-connect/token", data=_some(form, wanted)))

    def country(self, authorization: str | None) -> Json:
        """The agreed objects of the country whose token this is."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise problems.unauthorized("a bearer token is needed")
        claims = self._issuer.decode(token)
        account = str(claims.get("azp"))
        itself = claims.get("preferred_username") == f"service-account-{account}" and claims.get("typ") == "Bearer"
        if not itself or account not in self._policy["countries"]:
            raise problems.forbidden(f"{account!r} manages no link here")
        link: Json = self._policy["countries"][account]
        return link

    def carry_out(self, link: Json, ask: _Ask) -> Response:
        """Does what was asked when it is about the country's own link; raises `Problem` 403 else."""
        for methods, pattern, check, remakes in _RULES:
            found = re.fullmatch(pattern, ask.path)
            if found and ask.method in methods:
                check(self, link, ask, found.groupdict())
                if remakes:
                    self._forget_people(link["provider"]["alias"])
                break
        else:
            raise problems.forbidden(f"{ask.method} {ask.path} is no part of a link")
        sent = {"content": ask.body, "headers": {"content-type": "application/json"}} if ask.body else {}
        answer = self._as_gateway(ask.method, f"{self._admin}/{quote(ask.path)}", params=dict(ask.query), **sent)
        own = f"{self._policy['keycloak']}/admin/"
        return _passed(answer, lambda location: location.replace(own, f"{BASE}/admin/"))

    def _forget_people(self, alias: str) -> None:
        """Removes the accounts that the link has made: with the link Keycloak forgets whose they are, and then refuses
        their owners, who come through the next one, as strangers with a name that is taken. It remembers who came
        through a link that somebody else has removed, so that memory is cleared, too."""
        removed = False
        while True:
            query = {"search": f"{alias}.*", "briefRepresentation": "true", "max": "200"}
            answer = self._as_gateway("GET", f"{self._admin}/users", params=query)
            if answer.status_code != 200:
                raise problems.unavailable("Keycloak", f"{answer.status_code} for the people of {alias}")
            people = [user["id"] for user in answer.json() if user["username"].startswith(f"{alias}.")]
            if not people:
                break
            removed = True
            for user in people:
                gone = self._as_gateway("DELETE", f"{self._admin}/users/{user}")
                if gone.status_code not in (204, 404):
                    raise problems.unavailable("Keycloak", f"{gone.status_code} for removing a person of {alias}")
        if removed:
            cleared = self._as_gateway("POST", f"{self._admin}/clear-user-cache")
            if cleared.status_code != 204:
                raise problems.unavailable("Keycloak", f"{cleared.status_code} for clearing its memory of {alias}")

    def read(self, path: str) -> Json:
        """An object of the realm; {} when it is not there."""
        answer = self._as_gateway("GET", f"{self._admin}/{quote(path)}")
        if answer.status_code == 404:
            return {}
        if answer.status_code != 200:
            raise problems.unavailable("Keycloak", f"{answer.status_code} for {path}")
        found: Json = answer.json()
        return found

    def _as_gateway(self, method: str, url: str, **how: Any) -> httpx.Response:
        answer = self._with(self._own_token(), method, url, how)
        if answer.status_code == 401:  # the realm was made anew, or its tokens were revoked
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
                if answer.status_code != 200:
                    raise problems.unavailable("Keycloak", f"{answer.status_code} for the gateway's own login")
                found = answer.json()
                self._token, self._expires = found["access_token"], time.monotonic() + found["expires_in"] * 0.8
            return self._token

    def _send(self, method: str, url: str, **how: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, **how)
        except httpx.HTTPError as error:
            raise problems.unavailable("Keycloak", error) from error


_Check = Callable[[_Gateway, Json, _Ask, Mapping[str, str]], None]


def _own_provider(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    if part["alias"] != link["provider"]["alias"]:
        raise problems.forbidden(f"{part['alias']} is another country's link")
    if ask.method == "PUT":
        _agreed_provider(gateway, link, ask, part)


def _agreed_provider(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _same("identity provider", link["provider"], ask.json())


def _own_mapper(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    """Keycloak finds a mapper by its id alone, whatever provider stands in the path."""
    _own_provider(gateway, link, _Ask("GET", ask.path, {}, b""), part)
    found = gateway.read(ask.path)
    if found and found.get("identityProviderAlias") != link["provider"]["alias"]:
        raise problems.forbidden("this mapper is another country's")
    if ask.method == "PUT":
        _agreed_mapper(gateway, link, ask, part)


def _agreed_mapper(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _own_provider(gateway, link, _Ask("GET", ask.path, {}, b""), part)
    body = ask.json()
    name, alias = str(body.get("name")), body.get("identityProviderAlias")
    if name not in link["mappers"] or alias != link["provider"]["alias"]:
        raise problems.forbidden(f"mapper {name!r} of {alias!r} is no part of this link")
    _same(f"mapper {name}", {"name": name, **link["mappers"][name]}, body)


def _own_client(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    found = gateway.read(f"clients/{part['client']}")
    if found and found.get("clientId") != link["client"]["clientId"]:
        raise problems.forbidden("this client is no part of this link")
    if ask.method == "PUT":
        _agreed_client(gateway, link, ask, part)


def _agreed_client(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    _same("client", link["client"], ask.json())


def _search_of_client(gateway: _Gateway, link: Json, ask: _Ask, part: Mapping[str, str]) -> None:
    if dict(ask.query) != {"clientId": link["client"]["clientId"]}:
        raise problems.forbidden("only the client of this link can be looked for")


# methods, path below the realm, what must hold, whether the link is made or removed as a whole
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
    """Raises `Problem` 403 unless `found` says what was agreed, no less and no more."""
    a, b = _leaves(agreed), _leaves(found)
    off = sorted(k for k in {*a, *b} if a.get(k) != b.get(k) and not (k not in a and _harmless(k, b[k])))
    if off:
        wanted, came = ({k: side.get(k) for k in off} for side in (a, b))
        raise problems.forbidden(f"the {what} is not as agreed", {"expected": wanted, "found": came})


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every set value by its path. Unset, empty and false are one, as are `true` and "true"; lists have no order."""
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
    return name in _MARKS or (name in _DEFAULTS and _DEFAULTS[name] == value)


def _some(form: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: form[name] for name in names if name in form}


def _passed(answer: httpx.Response, moved: Callable[[str], str] = str) -> Response:
    """Keycloak's answer as it came; a Location stays inside the gateway."""
    headers = {"Cache-Control": "no-store"}
    if "location" in answer.headers:
        headers["Location"] = moved(answer.headers["location"])
    kind = answer.headers.get("content-type", "application/json")
    return Response(answer.content, answer.status_code, headers, media_type=kind)
