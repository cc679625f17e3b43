"""Observing containers, for the probe, the gate and the checks."""

import time

import docker
import docker.errors
from docker.models.containers import Container

from dive_infra.config.naming import STACK_LABEL
from dive_infra.engines.docker import links
from dive_infra.engines.docker.units import NANOSECONDS
from dive_infra.engines.engine import Condition, ContainerFailed

POLL = 0.5  # seconds between two observations
LONGEST = 2.0  # the same of a container that takes long to start: each runs its health check
LOG_LINES = 20
_DOCKERS_TIMEOUT = 30 * NANOSECONDS  # for a health check without a timeout of its own
_LIFE = 5.0  # seconds that a crashing container may run
_CRASHES = 2  # restarts by the engine during the wait that make a crash loop


def observe(engine: docker.DockerClient, name: str) -> Condition:
    """Return the condition of the container `name`; raises Docker's own error if the engine is out of reach.

    Docker runs the health check of a starting container only after the check's interval, which is long because each run
    costs. Therefore the same check is run here for a starting container.
    """
    try:
        container = engine.containers.get(name)
    except docker.errors.NotFound:
        return Condition(exists=False)
    attributes = container.attrs
    state = attributes["State"]
    restarting = bool(state.get("Restarting", False))
    health = state.get("Health", {}).get("Status", "none")
    if health == "starting" and passes(engine, container):
        health = "healthy"
    return Condition(
        exists=True,
        id=attributes["Id"],
        name=str(container.name),
        running=bool(state["Running"]) and not restarting,  # Docker says that it does both
        restarting=restarting,
        paused=bool(state.get("Paused", False)),
        health=health,
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        restarts=attributes["RestartCount"],
        stack=str((attributes["Config"]["Labels"] or {}).get(STACK_LABEL, "")),
        half_made=not attributes["HostConfig"]["PidsLimit"],  # the first thing that its gate sets
        networks=links.ends(attributes),
        attributes=attributes,
    )


def passes(engine: docker.DockerClient, container: Container) -> bool:
    """Return True if the container passes its own health check now, within the check's timeout."""
    check, api = container.attrs["Config"]["Healthcheck"], engine.api
    ends = time.monotonic() + (check.get("Timeout") or _DOCKERS_TIMEOUT) / NANOSECONDS
    try:
        asked = api.exec_create(container.id, check["Test"][1:])["Id"]
        api.exec_start(asked, detach=True)  # a check that hangs must not block
        while (answer := api.exec_inspect(asked))["Running"]:
            if time.monotonic() > ends:
                return False
            time.sleep(POLL / 10)
    except docker.errors.APIError:
        return False  # the container has stopped meanwhile
    return bool(answer["ExitCode"] == 0)


def await_healthy(engine: docker.DockerClient, name: str, deadline: float) -> Condition:
    """Wait until the container is healthy, at most `deadline` seconds.

    Raises `ContainerFailed` as soon as two observations in a row find it exited, or it is in a crash loop, or the time
    is over.
    """
    ends = time.monotonic() + deadline
    seen_down = 0
    restarts_before: int | None = None
    pause = POLL
    while True:
        now = observe(engine, name)
        if now.healthy:
            return now
        restarts_before = now.restarts if restarts_before is None else min(restarts_before, now.restarts)
        seen_down = 0 if now.running else seen_down + 1
        if not now.exists or seen_down >= 2 or now.restarts - restarts_before >= _CRASHES:
            state = _between_two_lives(engine, name, now).describe()
            raise ContainerFailed(f"{name}: {state}, expected running and healthy{_tail(engine, name)}")
        if time.monotonic() > ends:
            raise ContainerFailed(
                f"{name}: {now.describe()} after {deadline:.0f} s, expected healthy{_tail(engine, name)}"
            )
        time.sleep(pause)
        pause = min(1.2 * pause, LONGEST) if now.running else POLL


def _between_two_lives(engine: docker.DockerClient, name: str, now: Condition) -> Condition:
    """Return a crashing container's condition while it is down, which has the exit code; or as it is if it stays up."""
    ends = time.monotonic() + _LIFE
    while now.running and time.monotonic() < ends:
        time.sleep(POLL / 10)
        now = observe(engine, name)
    return now


def _tail(engine: docker.DockerClient, name: str) -> str:
    try:
        log = engine.containers.get(name).logs(tail=LOG_LINES).decode(errors="replace").strip()
    except docker.errors.NotFound:
        return ""
    lines = "".join(f"\n    {line}" for line in log.splitlines())
    return f"; its last log lines:{lines}" if lines else "; it logged nothing"
