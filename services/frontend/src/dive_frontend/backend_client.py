"""Client of the backend, which answers on behalf of a signed-in person."""

from typing import Any
from urllib.parse import quote

import httpx

from dive_common.problems import HttpProblem, unavailable

TIMEOUT_SECONDS = 20.0  # the backend makes a decision on each document of a list
PROBE_SECONDS = 3.0


class BackendClient:
    """Each request raises `HttpProblem` with the backend's own status and reason, or 503."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def whoami(self, token: str) -> dict[str, Any]:
        return self._get("/api/whoami", token)

    def documents(self, token: str, after: str, limit: int) -> dict[str, Any]:
        return self._get("/api/resources", token, {"limit": str(limit), "after": after})

    def document(self, token: str, resource_id: str) -> dict[str, Any]:
        return self._get(f"/api/resources/{quote(resource_id, safe='')}", token)

    def ping(self) -> None:
        """Raise `httpx.HTTPError` if the backend is down."""
        self._http.get(f"{self._url}/api/health", timeout=PROBE_SECONDS).raise_for_status()

    def _get(self, path: str, token: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            response = self._http.get(f"{self._url}{path}", params=query, headers=headers, timeout=TIMEOUT_SECONDS)
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("document service", error) from error
        if response.status_code != 200:
            raise HttpProblem(response.status_code, body.get("error", ""), body.get("reason", ""), body.get("details"))
        return body
