"""Looking at and starting containers through the engine: what the probe, the gate and the checks share."""

import time
from dataclasses import dataclass, field

import docker
import docker.errors
from docker.models.containers import Container

DECLARATION = "dive.declaration"  # the label that says which declaration a container was made from
POLL = 0.5  # seconds between two looks
LOG_LINES = 20


class ContainerFailed(RuntimeError):
    """A container is not there, has exited or did not become healthy; the message ends with its last log lines."""


@dataclass(frozen=True)
class Condition:
    """A container as it is now. `health` is Docker's word, or `none` where no health check is declared."""

    exists: bool
    id: str = ""
    running: bool = False
    health: str = "none"
    image: str = ""
    exit_code: int = 0
    out_of_memory: bool = False
    restarts: int = 0
    processes: int = 0
    labels: dict[str, str] = field(default_factory=dict[str, str])
    networks: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        return self.running and self.health in ("healthy", "none")

    def describe(self) -> str:
        """`running, unhealthy` or `stopped (exit code 1)`, for people."""
        if not self.exists:
            return "not there"
        if self.running:
            return f"running, {self.health}"
        return f"stopped (exit code {self.exit_code})" + (", out of memory" if self.out_of_memory else "")


def look(engine: docker.DockerClient, name: str) -> Condition:
    """The container called `name` as it is now; an engine out of reach raises docker's own error.

    Docker asks a started container only after the interval of its health check, which is long, as each question costs.
    So a starting one is asked here, by the same test.
    """
    try:
        container = engine.containers.get(name)
    except docker.errors.NotFound:
        return Condition(exists=False)
    attributes = container.attrs
    state = attributes["State"]
    health = state.get("Health", {}).get("Status", "none")
    if health == "starting" and _passes(container):
        health = "healthy"
    return Condition(
        exists=True,
        id=attributes["Id"],
        # A container that Docker restarts again and again does not run.
        running=bool(state["Running"]) and not state.get("Restarting", False),
        health=health,
        image=attributes["Image"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        restarts=attributes["RestartCount"],
        processes=attributes["HostConfig"].get("PidsLimit") or 0,
        labels=attributes["Config"]["Labels"] or {},
        networks=tuple(attributes["NetworkSettings"]["Networks"]),
    )


def _passes(container: Container) -> bool:
    test = container.attrs["Config"]["Healthcheck"]["Test"]
    try:
        return bool(container.exec_run(test[1:]).exit_code == 0)
    except docker.errors.APIError:
        return False  # it has stopped meanwhile


def await_healthy(engine: docker.DockerClient, name: str, deadline: float) -> Condition:
    """Waits until the container is healthy, at most `deadline` seconds.

    Raises `ContainerFailed` as soon as it is seen exited twice in a row, or when the time is over.
    """
    ends = time.monotonic() + deadline
    seen_down = 0
    while True:
        now = look(engine, name)
        if now.healthy:
            return now
        seen_down = 0 if now.running else seen_down + 1
        if not now.exists or seen_down >= 2:
            raise ContainerFailed(f"{name}: {now.describe()}, expected running and healthy{_tail(engine, name)}")
        if time.monotonic() > ends:
            raise ContainerFailed(
                f"{name}: {now.describe()} after {deadline:.0f} s, expected healthy{_tail(engine, name)}"
            )
        time.sleep(POLL)


def start(engine: docker.DockerClient, name: str) -> None:
    """Starts the container if it does not run; raises `ContainerFailed` when it is not there or cannot start."""
    try:
        engine.containers.get(name).start()
    except docker.errors.NotFound:
        raise ContainerFailed(f"{name}: not there; next: pulumi up") from None
    except docker.errors.APIError as error:
        raise ContainerFailed(f"{name}: cannot start: {error.explanation}") from None


def limit_processes(engine: docker.DockerClient, name: str, processes: int) -> None:
    """Sets the container's limit of processes, which the engine keeps over restarts."""
    api = engine.api
    response = api.post(f"{api.base_url}/v{api.api_version}/containers/{name}/update", json={"PidsLimit": processes})
    if not response.ok:
        raise ContainerFailed(f"{name}: cannot limit its processes to {processes}: {response.text.strip()}")


def _tail(engine: docker.DockerClient, name: str) -> str:
    try:
        log = engine.containers.get(name).logs(tail=LOG_LINES).decode(errors="replace").strip()
    except docker.errors.NotFound:
        return ""
    lines = "".join(f"\n    {line}" for line in log.splitlines())
    return f"; its last log lines:{lines}" if lines else "; it logged nothing"
