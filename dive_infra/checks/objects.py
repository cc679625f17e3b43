"""List what a country has on the engine: one request for each kind of object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
from requests.exceptions import RequestException

from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import ENGINE_ANSWER
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.engine import EngineError
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy

REMEDY = Remedy.deploy(detail="starts the engine, or set DOCKER_HOST")


def connect() -> docker.DockerClient:
    """Return a client with a short timeout; raise `CheckUnknown` if no engine answers."""
    try:
        return engine.client(ENGINE_ANSWER)
    except EngineError as error:
        raise CheckUnknown(error.cause, REMEDY) from None


_WAITED = ("timeout expired", "timed out")  # the clients' words for a timeout


def unanswered(found: str, expected: str, remedy: Remedy, code: Code | None = None) -> CheckFailed | CheckUnknown:
    """Return the error to raise for a server that does not answer.

    The server is down if its engine answers, and unknown if the engine does not. A server that times out may only be
    busy: the health check of its container decides.
    """
    if any(words in found.lower() for words in _WAITED) and "refused" not in found.lower():
        return CheckUnknown(found, remedy)
    try:
        connect().close()
    except CheckUnknown as error:
        return error
    return CheckFailed(found, expected, remedy, code)


@dataclass(frozen=True)
class Object:
    """A container, network or volume: its kind, name and labels."""

    kind: str
    name: str
    labels: Mapping[str, str]
    ports: tuple[int, ...] = ()


def containers(client: docker.DockerClient) -> list[Object]:
    return [
        Object("container", c["Names"][0].lstrip("/"), c["Labels"] or {}, _published(c))
        for c in _request(lambda: client.api.containers(all=True))
        if c["Names"]
    ]


def networks(client: docker.DockerClient) -> list[Object]:
    return [Object("network", n["Name"], n["Labels"] or {}) for n in _request(client.api.networks)]


def volumes(client: docker.DockerClient) -> list[Object]:
    found = _request(client.api.volumes)["Volumes"] or []
    return [Object("volume", v["Name"], v["Labels"] or {}) for v in found]


def all_objects(client: docker.DockerClient) -> list[Object]:
    return [*containers(client), *networks(client), *volumes(client)]


def owned_by_stack(names: Names, mark: str) -> list[Object]:
    """Return all objects of the country that the stack with this mark created on the engine."""
    return [o for o in all_objects(connect()) if names.owns(o.labels) and o.labels.get("dive.stack") == mark]


def _published(container: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted({p["PublicPort"] for p in container["Ports"] or [] if "PublicPort" in p}))


def _request(request: Any) -> Any:
    try:
        return request()
    except (docker.errors.DockerException, RequestException) as error:
        raise CheckUnknown(f"the engine did not answer: {error}", REMEDY) from None
