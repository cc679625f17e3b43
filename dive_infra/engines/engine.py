"""What the project needs from an engine that runs services: the interface, and the data that crosses it.

A country's objects on an engine are containers, networks and volumes; a second engine maps its own objects to these
kinds. The catalog says what a service is; `declaration.Declared` is what an engine must run.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from dive_infra.config.naming import (
    CARRIER_LABEL,
    COUNTRY_LABEL,
    NAMESPACE_LABEL,
    SERVICE_LABEL,
    STACK_LABEL,
    between_countries,
)
from dive_infra.engines.declaration import Declared
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import ContainerState

_OWNER = (NAMESPACE_LABEL, COUNTRY_LABEL, SERVICE_LABEL, STACK_LABEL)  # who a container belongs to, and as what

Kind = Literal["container", "volume", "network"]
REMOVAL_ORDER: tuple[Kind, ...] = ("container", "volume", "network")  # containers hold the others


class EngineError(DiveError):
    """The engine is unusable or does not answer; `cause` says which one, and what it answered."""


class EngineRefused(EngineError):
    """The engine answered and refused; `cause` is its reason."""


class ContainerFailed(DiveError):
    """A container is missing, has exited or did not become healthy; the message ends with its last log lines."""


@dataclass(frozen=True)
class Endpoint:
    """Where the engine of this process is, and what selected it.

    `is_local`: it is at a socket of this machine, and so are its published ports. `is_default`: it is this machine's
    usual engine, which `ensure` may start. `certificates` is the folder of its TLS files, empty without any.
    `variables` are what other programs need to find it; none if the operator has set them. `command` is how operators
    address it.
    """

    address: str
    selected_by: str
    is_local: bool
    is_default: bool
    certificates: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    command: str = ""


@dataclass(frozen=True)
class Facts:
    """The engine itself: `memory` in bytes; `data_folder` holds its data, in its own file system.

    `architecture` is that of its processor, such as `amd64`.
    """

    version: str
    memory: int
    data_folder: str
    architecture: str = ""


class PublishedPort(NamedTuple):
    """A port of a container, and the address of the engine's machine at which it is published."""

    address: str
    port: int


@dataclass(frozen=True)
class EngineObject:
    """A container, volume or network; `ports` are those that a container publishes."""

    kind: Kind
    name: str
    labels: Mapping[str, str]
    ports: tuple[PublishedPort, ...] = ()

    @property
    def stack(self) -> str:
        """The mark of the stack that owns it; empty without one."""
        return self.labels.get(STACK_LABEL, "")


@dataclass(frozen=True)
class NetworkState:
    """A network as it is now. Several may have one name; `stack` is the mark of its owner, empty without one."""

    id: str
    name: str
    stack: str


@dataclass(frozen=True)
class NetworkEnd:
    """A container's end on a network: the network's id, empty before the container's first start, and its names."""

    network: str
    aliases: tuple[str, ...]

    def leads_to(self, network: str) -> bool:
        """Return True if the container is on the network with this id, or will be once it starts."""
        return self.network in (network, "")


@dataclass(frozen=True)
class Condition:
    """A container as it is now. `health` is `healthy`, `unhealthy`, `starting`, or `none` without a health check.

    `name` is the present one. `restarting`: it crashed, and the engine starts it again. `stack` is the mark of its
    owner, empty without one. `half_made`: an interrupted run left it before its gate. `networks`: by name, those
    that it is on, or will be once it starts. `attributes` are in the engine's own terms, for `Engine.differences`.
    """

    exists: bool
    id: str = ""
    name: str = ""
    running: bool = False
    paused: bool = False
    health: str = "none"
    exit_code: int = 0
    out_of_memory: bool = False
    restarting: bool = False
    restarts: int = 0
    stack: str = ""
    half_made: bool = False
    networks: Mapping[str, NetworkEnd] = field(default_factory=dict[str, NetworkEnd])
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def healthy(self) -> bool:
        return self.running and not self.paused and self.health in ("healthy", "none")

    @property
    def state(self) -> ContainerState:
        """Return its state, for programs; a paused container counts as stopped."""
        if self.healthy:
            return "healthy"
        return "unhealthy" if self.running and not self.paused else "stopped"

    def describe(self) -> str:
        """Return `running, unhealthy` or `stopped (exit code 1)`, for people."""
        if not self.exists:
            return "missing"
        if self.paused:
            return "paused"
        crashes = f", restarted {self.restarts} times" if self.restarts else ""
        if self.running:
            return f"running, {self.health}{crashes}"
        return f"stopped (exit code {self.exit_code})" + (", out of memory" if self.out_of_memory else "") + crashes


class Difference(NamedTuple):
    """`in_place`: the engine can change it while the container runs; anything else needs another container."""

    key: str
    expected: str
    found: str
    in_place: bool

    def __str__(self) -> str:
        return f"{self.key}: {self.found}, declared is {self.expected}"


class Engine(ABC):
    """A connected engine. Every method raises `EngineError` when the engine does not answer or refuses.

    Methods that list objects cost one request each.
    """

    # The engine itself

    @abstractmethod
    def facts(self) -> Facts: ...

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Return the engine's versions, for a support archive."""

    @abstractmethod
    def close(self) -> None: ...

    # Observe

    @abstractmethod
    def containers(self) -> list[EngineObject]: ...

    @abstractmethod
    def volumes(self) -> list[EngineObject]: ...

    @abstractmethod
    def networks(self) -> list[EngineObject]: ...

    def everything(self) -> list[EngineObject]:
        """Return all objects."""
        return [*self.containers(), *self.networks(), *self.volumes()]

    @abstractmethod
    def observe(self, name: str) -> Condition:
        """Return a container's condition now; the health of a starting one comes from its own check."""

    def find(self, declared: Declared) -> Condition:
        """Return the declared container's condition now; someone may have given it another name."""
        now = self.observe(declared.name)
        if now.exists or not declared.labels.get(SERVICE_LABEL):
            return now
        other = renamed(self.containers(), declared.name, declared.labels)
        return self.observe(other) if other else now

    @abstractmethod
    def passes(self, name: str) -> bool:
        """Return True if a running container passes its own health check now."""

    @abstractmethod
    def has_image(self, image: str) -> bool:
        """Return True if the image with this id is on the engine."""

    @abstractmethod
    def image_environment(self, image: str) -> Mapping[str, str]:
        """Return the variables that the image with this id sets; none without the image."""

    @abstractmethod
    def files_digest(self, name: str) -> str:
        """Return the hash over the files of a container's service."""

    @abstractmethod
    def read_file(self, name: str, path: str) -> str:
        """Return the text of a file in a container, running or not; raise `ContainerFailed` without it."""

    @abstractmethod
    def files_drift(self, name: str, volume: str, contents: Mapping[str, str], owner: int) -> Mapping[str, str]:
        """Return how the files in `volume` differ from `contents`: `dive/tls.key` -> `missing`, `added` or `changed`.

        They are read through the container that mounts them; without that container the answer is empty.
        """

    @abstractmethod
    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """Return the labels of a volume, or None without a volume of this name."""

    @abstractmethod
    def created(self, name: str) -> datetime | None:
        """Return when a container was created; None without it."""

    @abstractmethod
    def volume_sizes(self) -> Mapping[str, int]:
        """Return name -> bytes, without the volumes whose size the engine does not know."""

    @abstractmethod
    def networks_named(self, name: str) -> list[NetworkState]:
        """Return all networks with exactly this name."""

    @abstractmethod
    def network_ids(self) -> Mapping[str, str]:
        """Return name -> id of all networks; of several with one name, the one that `join` chooses."""

    @abstractmethod
    def free_address_ranges(self, most: int) -> int | None:
        """Return for how many more networks the engine has an address range, counted to `most`; None if unknown."""

    @abstractmethod
    def network_users(self, network: str) -> list[EngineObject]:
        """Return the running containers on the network with this id."""

    @abstractmethod
    def attached(self, network: str) -> list[EngineObject]:
        """Return the containers on the network of this name, running or not."""

    @abstractmethod
    def processes(self, name: str) -> list[str]:
        """Return the command lines of a running container's processes, as they title themselves."""

    @abstractmethod
    def output(self, name: str, command: Sequence[str]) -> str:
        """Return what a command prints in a running container; raise `ContainerFailed` unless it exits with 0.

        It must print something, and may run twice.
        """

    @abstractmethod
    def firewall(self) -> str:
        """Return whether the host's firewall leads to the engine's rules; empty if that cannot be read from here."""

    @abstractmethod
    def logs(self, name: str, lines: int) -> str:
        """Return the last lines of a container's log, each with its time."""

    @abstractmethod
    def inspect(self, name: str) -> Mapping[str, Any]:
        """Return a container in the engine's own terms, environment variables by name only."""

    # Compare

    @abstractmethod
    def differences(self, live: Condition, declared: Declared) -> Sequence[Difference]:
        """Return how a container differs from its declaration; of environment variables only the names."""

    # Act

    @abstractmethod
    def settle(self, declared: Declared) -> None:
        """Give a container its name, limits and networks while it runs, and start it unless it runs well.

        Raises `ContainerFailed` if it is missing or cannot be repaired.
        """

    @abstractmethod
    def await_healthy(self, name: str, deadline: float) -> Condition:
        """Wait until a container is healthy, at most `deadline` seconds. Raises `ContainerFailed`."""

    @abstractmethod
    def restart(self, name: str, grace: int) -> None:
        """Restart a container in one request; it has `grace` seconds to end in good order."""

    @abstractmethod
    def remove_container(self, declared: Declared) -> None:
        """Remove a container that carries the mark of its stack; raises `ContainerFailed` for any other."""

    @abstractmethod
    def remove(self, kind: Kind, name: str, detach: bool = False) -> bool:
        """Remove an object; return False if there was none. `detach`: take containers off a network first."""

    @abstractmethod
    def remove_network(self, network: str) -> None:
        """Remove the network with this id, after taking its containers off it."""

    @abstractmethod
    def join(self, container: str, network: str, alias: str, labels: Mapping[str, str]) -> None:
        """Have a container, running or not, on a network by the name `alias`; it is not restarted.

        Without a network of this name, one is created, with `labels` and without a way out of it.
        """

    @abstractmethod
    def leave(self, container: str, network: str) -> None:
        """Take a container off a network without a restart; the last one to leave removes the network."""

    @abstractmethod
    def create_volume(self, name: str, labels: Mapping[str, str]) -> None: ...

    @abstractmethod
    def write_files(
        self,
        volume: str,
        contents: Mapping[str, str],
        owner: int,
        declared: Mapping[str, Any],
        only: Collection[str] = (),
    ) -> str:
        """Write a service's files into a volume for `owner` alone to read; return the hash over them.

        `declared` is the container that mounts it, as plain data; it may run. `only`: the paths to write, if not all.
        """

    # Tell

    @abstractmethod
    def command_in(self, name: str, script: str, piped: bool = False) -> str:
        """Return the command with which an operator runs a shell script in a container; `piped`: it reads its input."""

    @abstractmethod
    def offline_command(self, name: str, script: str) -> str:
        """Return the command with which an operator runs a shell script on the volumes of a container at rest.

        The container stops, the script runs as its user in its image without a network, and the container starts.
        Raises `ContainerFailed` without the container.
        """

    @abstractmethod
    def restart_command(self) -> str:
        """Return the command with which an operator restarts the engine, which installs its firewall rules again."""

    @abstractmethod
    def disconnect_command(self, network: str, container: str) -> str:
        """Return the command with which an operator takes a container off a network."""

    @abstractmethod
    def pruning_command(self) -> str:
        """Return the command with which an operator removes all networks that no one uses."""

    @abstractmethod
    def volume_command(self, name: str, labels: Mapping[str, str]) -> str:
        """Return the command with which an operator creates a volume by hand."""

    @abstractmethod
    def removal_command(self, kind: Kind, name: str, force: bool = False) -> str:
        """Return the command with which an operator removes an object by hand."""


def renamed(containers: Iterable[EngineObject], name: str, labels: Mapping[str, str]) -> str:
    """Return the present name of the container `name` with its owner's labels, if someone renamed it; else empty."""
    existing = list(containers)
    owner = {key: labels[key] for key in _OWNER if key in labels}
    found = [c.name for c in existing if owner.items() <= c.labels.items() and CARRIER_LABEL not in c.labels]
    taken = any(c.name == name for c in existing)
    return found[0] if len(found) == 1 and not taken else ""


def ours_by_use(engine: Engine, network: NetworkState, stack: str) -> bool:
    """Return True for a network without an owner that only containers of `stack` use: ours, recreated by hand."""
    users = [user.stack for user in engine.network_users(network.id)]
    return not network.stack and bool(users) and set(users) == {stack}


def link_flaw(now: Condition, network: str, alias: str, ids: Mapping[str, str]) -> str:
    """Return why a container is not on the network of a link by the name `alias`; empty if it is.

    `ids` are those of all networks, by name.
    """
    if network not in ids:
        return "the network does not exist"
    end = now.networks.get(network)
    if end is None or not end.leads_to(ids[network]):
        return "is not on it"
    return "" if alias in end.aliases else f"is on it without the name {alias}"


def undeclared_links(now: Condition, namespace: str, links: Collection[str]) -> list[str]:
    """Return the networks between countries that a container is on and should not be; `links` are the declared ones."""
    return sorted(name for name in now.networks if between_countries(name, namespace) and name not in links)
