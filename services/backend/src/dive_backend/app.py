"""The backend: who the caller is, which documents the country has, and what they say."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dive_backend import decision_cache
from dive_backend.decision_cache import DecisionCache
from dive_backend.distribution import PolicyDistribution
from dive_backend.key_access import KeyAccessClient
from dive_backend.published import Published
from dive_backend.resources import Resources
from dive_backend.settings import BackendSettings
from dive_common import health, problems
from dive_common.agreements import BEYOND
from dive_common.decisions import DecisionPoint
from dive_common.stores import database
from dive_common.tokens import AccessTokens, Claims
from dive_common.web import new_id, source_ip, uncached

PAGE, LARGEST_PAGE = 50, 200  # documents
_CLAIMS = (
    "uniqueID",
    "clearance",
    "countryOfAffiliation",
    "acpCOI",
    BEYOND,
    "organization",
    "organizationType",
    "preferred_username",
    "acr",
    "amr",
    "iss",
    "exp",
)


class BackendApp:
    """The service's dependencies and endpoints; it contacts no other service before the first request."""

    def __init__(self, settings: BackendSettings) -> None:
        files, http = settings.files, settings.files.http()
        self._settings = settings
        self._tokens = AccessTokens(settings, http)
        self._opa = DecisionPoint(settings.opa_url, files.secret("opa-token"), http)
        self._kas = KeyAccessClient(settings.kas_url, http)
        self._redis = decision_cache.connect(files)
        self._database = database(files)
        self._resources = Resources(
            settings.instance_code, self._database, self._opa, self._kas, DecisionCache(self._redis)
        )

    def starlette(self) -> Starlette:
        files = self._settings.files
        routes = [
            Route("/api/health", health.endpoint(self._settings.instance_code, self._probes())),
            Route("/api/whoami", self.whoami),
            Route("/api/resources", self.page),
            Route("/api/resources/{id}", self.read),
        ]
        is_hub = self._settings.is_hub
        routes += Published(self._database, files.path("coalition.json") if is_hub else None).routes()
        if is_hub:
            routes += PolicyDistribution(self._settings.instance_code, files, self._database).routes()
        return Starlette(routes=routes, exception_handlers={problems.HttpProblem: problems.answer})

    def _probes(self) -> dict[str, health.Probe]:
        return {
            "mongodb": lambda: self._database.command("ping"),
            "redis": self._redis.ping,
            "opa": self._opa.ping,
            "kas": self._kas.ping,
        }

    def whoami(self, request: Request) -> Response:
        _, claims = self._bearer(request)
        roles = claims.get("realm_access", {}).get("roles", [])
        return uncached({name: claims[name] for name in _CLAIMS if name in claims} | {"roles": roles})

    def page(self, request: Request) -> Response:
        _, claims = self._bearer(request)
        limit = _limit(request.query_params.get("limit", str(PAGE)))
        after = request.query_params.get("after", "")
        found = self._resources.page(claims, source_ip(request), new_id(), after, limit)
        following = found[-1]["resourceId"] if len(found) == limit else None
        return uncached({"resources": found, "count": len(found), "next": following})

    def read(self, request: Request) -> Response:
        token, claims = self._bearer(request)
        resource_id = request.path_params["id"]
        return uncached(self._resources.read(resource_id, token, claims, source_ip(request), new_id()))

    def _bearer(self, request: Request) -> tuple[str, Claims]:
        return self._tokens.verify(request.headers.get("Authorization"))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_PAGE):
        raise problems.bad_request(f"limit is {text!r}; expected a number from 1 to {LARGEST_PAGE}")
    return int(text)
