"""Repair of containers in place: name, limits and networks while they run, a start for those that do not run well."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.containers import POLL, await_healthy, passes
from dive_infra.engines.docker.units import NANOSECONDS, RESTART
from dive_infra.engines.engine import Condition, ContainerFailed
from dive_infra.process.crash_points import crash_point
from dive_infra.results.remedy import UP, Remedy

_TRIES = 5
_GRACE = 30  # seconds for a server to end in good order
_FILLING = 60.0  # seconds for a data volume's first filling


def settle(engine: docker.DockerClient, declared: Declared, now: Condition) -> None:
    """Give the container its name, limits and networks while it runs, and start it unless it runs well.

    `now` is its condition. The process limit comes first: a container without it has never passed here. Raises
    `ContainerFailed` if the container is missing or cannot be repaired.
    """
    if not now.exists:
        raise ContainerFailed(f"{declared.name}: does not exist", Remedy.update())
    _rename(engine, declared, now)
    _limit(engine, declared)
    container = engine.containers.get(declared.name)
    if _connect(engine, declared, now) and now.running and not now.paused:
        # The engine's health status is older than this change; the container may reconnect by itself.
        if _recovers(engine, container, declared.health.interval):
            return
    elif now.healthy or (now.running and now.health == "starting"):
        return
    try:
        with crash_point("start container"):
            if now.paused:
                container.unpause()
            elif now.running or now.restarts:  # unhealthy, hung, or in a crash loop
                container.restart()
            else:
                container.start()
    except docker.errors.APIError as error:
        raise ContainerFailed(f"{declared.name}: cannot start: {error.explanation}") from None


def remove(engine: docker.DockerClient, declared: Declared, now: Condition, by_hand: str) -> None:
    """Remove the container if it carries the mark of its stack; raises `ContainerFailed` for any other.

    `now` is its condition, `by_hand` the command that removes it whose ever it is. A container that fills its data
    volume for the first time is not interrupted.
    """
    name = declared.name
    if not now.exists:
        return
    if now.stack != declared.stack:
        raise ContainerFailed(
            f"container {name} is of stack {now.stack or '(none)'}, not of {declared.stack}, and is in the way",
            Remedy.decide(f"destroy it with the stack it names, or {by_hand}, then: {UP}"),
        )
    if now.running and len(declared.mounts) > 1:
        with suppress(ContainerFailed):  # it is removed in any case
            await_healthy(engine, now.id, _FILLING)
    container = engine.containers.get(now.id)
    with crash_point("remove container"):
        container.stop(timeout=_GRACE)
        container.remove(force=True, v=True)


def _rename(engine: docker.DockerClient, declared: Declared, now: Condition) -> None:
    """Give the container back its name, by which its operator and every other request know it."""
    if now.name != declared.name:
        container = engine.containers.get(now.id)
        try:
            with crash_point("rename container"):
                container.rename(declared.name)
        except docker.errors.APIError as error:
            raise ContainerFailed(f"{declared.name}: cannot rename {now.name}: {error.explanation}") from None


def _limit(engine: docker.DockerClient, declared: Declared) -> None:
    """Set the limits that the engine keeps across restarts.

    The engine refuses them while the process ends, in several ways; after any refusal it is asked again.
    """
    api = engine.api
    limits = {
        "PidsLimit": declared.processes,
        "Memory": declared.memory,
        "MemorySwap": declared.memory,
        "NanoCpus": round(declared.cpus * NANOSECONDS),
        "RestartPolicy": {"Name": RESTART},
    }
    url = f"{api.base_url}/v{api.api_version}/containers/{declared.name}/update"
    for _ in range(_TRIES):
        with crash_point("limit container"):
            response = api.post(url, json=limits)
        if response.ok:
            return
        time.sleep(POLL)
    raise ContainerFailed(f"{declared.name}: cannot set its limits: {response.text.strip()}")


def _recovers(engine: docker.DockerClient, container: Container, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not (passed := passes(engine, container)) and time.monotonic() < ends:
        time.sleep(POLL)
    return passed


def _connect(engine: docker.DockerClient, declared: Declared, now: Condition) -> bool:
    """Connect the container to exactly the declared networks; return True if anything changed.

    Those of links are left as they are.
    """
    changed = False
    ends: Mapping[str, Any] = now.attributes["NetworkSettings"]["Networks"]
    for name in sorted({*(n for n in ends if not declared.is_of_link(n)), *declared.networks}):
        aliases, end = declared.networks.get(name), ends.get(name)
        try:
            network = engine.networks.get(name)
            if end and aliases and network.id == end["NetworkID"] and set(aliases) <= set(end["Aliases"] or ()):
                continue
            changed = True
            with crash_point("connect container"):
                if end:
                    network.disconnect(declared.name, force=True)
                if aliases:
                    network.connect(declared.name, aliases=list(aliases))
        except docker.errors.APIError as error:
            raise ContainerFailed(
                f"{declared.name}: cannot join or leave network {name}: {error.explanation}"
            ) from None
    return changed
