"""The backend, asked on behalf of a signed-in person."""

from typing import Any
from urllib.parse import quote

import httpx

from dive_common.problems import Problem, unavailable

PATIENCE = 20.0  # seconds; a list carries a decision for each of its documents


class Api:
    """A few questions to the backend; each raises `Problem` with the backend's own status and reason, or 503."""

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
        self._http.get(f"{self._url}/api/health", timeout=3.0).raise_for_status()

    def _get(self, path: str, token: str, question: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = self._http.get(
                f"{self._url}{path}", params=question, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
            )
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise unavailable("document service", error) from error
        if response.status_code != 200:
            raise Problem(response.status_code, body.get("error", ""), body.get("reason", ""), body.get("details"))
        return body
