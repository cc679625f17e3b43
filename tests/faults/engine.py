"""Faults of containers, networks and volumes."""

from dive_infra.orchestration.states import Phase
from tests.faults.fault import Fault


def _stopped(service: str, country: str = "FRA", selected: bool = False) -> Fault:
    return Fault(
        f"{service} is stopped",
        country,
        lambda scene: scene.container(service).stop(),
        Phase.DEPLOYMENT,
        heals=frozenset({f"{service}-gate"}),
        touched=frozenset({service}),
        selected=selected,
    )


def _removed(service: str, country: str = "FRA", selected: bool = False) -> Fault:
    return Fault(
        f"{service} is removed",
        country,
        lambda scene: scene.container(service).remove(force=True),
        Phase.DEPLOYMENT,
        heals=frozenset({f"{service}-probe", f"{service}-container", f"{service}-gate"}),
        touched=frozenset({service}),
        selected=selected,
    )


_SERVICES = ("postgres", "mongodb", "redis", "keycloak", "opa", "opal-client", "backend", "kas", "frontend")

FAULTS: tuple[Fault, ...] = (
    *(_stopped(service, selected=service in ("postgres", "keycloak")) for service in _SERVICES),
    *(_removed(service, selected=service == "mongodb") for service in _SERVICES),
    _stopped("opal-server", "USA"),
    _removed("backend", "USA"),
)
