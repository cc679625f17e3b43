"""The health endpoint of a service: an answer proves that it runs; the body reports each dependency."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dive_common.web import uncached

Probe = Callable[[], object]


def endpoint(instance: str, probes: Mapping[str, Probe]) -> Callable[[Request], Response]:
    """Return a Starlette endpoint that answers with `report`."""

    def health(request: Request) -> Response:
        return uncached(report(instance, probes))

    return health


def report(instance: str, probes: Mapping[str, Probe]) -> dict[str, Any]:
    """Run all probes at once; return `{status: healthy|degraded, instance, dependencies: {name: up|down}}`."""

    def state(probe: Probe) -> str:
        try:
            probe()
        except Exception:  # noqa: BLE001  (any failure means that the dependency is down)
            return "down"
        return "up"

    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        states = dict(zip(probes, pool.map(state, probes.values()), strict=True))
    status = "healthy" if set(states.values()) <= {"up"} else "degraded"
    return {"status": status, "instance": instance, "dependencies": states}
