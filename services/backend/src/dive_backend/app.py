"""The backend's application: routes, each a few lines."""

from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dive_backend import distribution, links
from dive_backend.keys import KeyService
from dive_backend.memory import Memory, connect
from dive_backend.resources import Resources
from dive_backend.settings import AUDIENCE, Settings
from dive_common import health, problems
from dive_common.decisions import DecisionPoint
from dive_common.tokens import AccessTokens, Claims

PAGE, LARGEST_PAGE = 50, 200
_CLAIMS = (
    "uniqueID",
    "clearance",
    "countryOfAffiliation",
    "acpCOI",
    "organization",
    "organizationType",
    "preferred_username",
    "acr",
    "amr",
    "iss",
    "exp",
)


def create(settings: Settings) -> Starlette:
    """The application; nothing is asked of another service before the first request."""
    http = settings.paths.http()
    tokens = AccessTokens(settings.issuers, AUDIENCE, http)
    opa = DecisionPoint(settings.opa_url, settings.paths.secret("opa-token"), http)
    kas = KeyService(settings.kas_url, http)
    redis = connect(settings.paths)
    resources = Resources(settings.instance_code, settings.database(), opa, kas, Memory(redis))
    probes: dict[str, health.Probe] = {
        "mongodb": lambda: settings.database().command("ping"),
        "redis": redis.ping,
        "opa": opa.ping,
        "kas": kas.ping,
    }

    def bearer(request: Request) -> tuple[str, Claims]:
        return tokens.verify(request.headers.get("Authorization"))

    def live(request: Request) -> JSONResponse:
        return _json(health.report(settings.instance_code, probes))

    def whoami(request: Request) -> JSONResponse:
        _, claims = bearer(request)
        roles = claims.get("realm_access", {}).get("roles", [])
        return _json({name: claims[name] for name in _CLAIMS if name in claims} | {"roles": roles})

    def page(request: Request) -> JSONResponse:
        _, claims = bearer(request)
        limit = _limit(request.query_params.get("limit", str(PAGE)))
        after = request.query_params.get("after", "")
        found = resources.page(claims, _source(request), str(uuid4()), after, limit)
        following = found[-1]["resourceId"] if len(found) == limit else None
        return _json({"resources": found, "count": len(found), "next": following})

    def read(request: Request) -> JSONResponse:
        token, claims = bearer(request)
        return _json(resources.read(request.path_params["id"], token, claims, _source(request), str(uuid4())))

    routes = [
        Route("/api/health", live),
        Route("/api/whoami", whoami),
        Route("/api/resources", page),
        Route("/api/resources/{id}", read),
    ]
    if settings.is_hub:
        routes += [*distribution.routes(settings), *links.routes(settings)]
    return Starlette(routes=routes, exception_handlers={problems.Problem: problems.answer})


def _json(body: object) -> JSONResponse:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_PAGE):
        raise problems.bad_request(f"limit must be a number from 1 to {LARGEST_PAGE}, found {text!r}")
    return int(text)
