"""Health of a service: it answers, so it lives; beside that it says which of its dependencies it cannot reach."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Probe = Callable[[], object]


def report(instance: str, probes: Mapping[str, Probe]) -> dict[str, Any]:
    """`{status: healthy|degraded, instance, dependencies: {name: up|down}}`; probes run side by side."""

    def state(probe: Probe) -> str:
        try:
            probe()
        except Exception:  # noqa: BLE001  (any failure of a probe is its answer)
            return "down"
        return "up"

    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        states = dict(zip(probes, pool.map(state, probes.values()), strict=True))
    status = "healthy" if set(states.values()) <= {"up"} else "degraded"
    return {"status": status, "instance": instance, "dependencies": states}
