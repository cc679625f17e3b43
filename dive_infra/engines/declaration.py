"""The declaration of a container: plain data that travels in states, and that a live container is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import TypeAdapter

from dive_infra.catalog.spec import FILES, HealthCheck, ServiceSpec
from dive_infra.config.later_fields import LEFT_OUT_IF_EMPTY
from dive_infra.config.naming import LOOPBACK, NAMESPACE_LABEL, STACK_LABEL, Names, between_countries

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Declared:
    """The declaration of a container. `image` is its id; empty `entrypoint` and `command` mean the image's own.

    `environment` is laid over the image's. `memory` is in bytes and includes swap. `mounts`: destination -> volume,
    with `:ro` appended if read-only. `networks`: network -> the container's names in it, without those of links, which
    come and go while the container runs (`dynamic.link_ends`). `ports` are published at `address`; empty, on loopback.
    `hosts`: names that the container knows beside those of its networks -> address.
    """

    name: str
    user: str
    health: HealthCheck
    image: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    read_only: bool = True
    tmpfs: Mapping[str, str] = field(default_factory=dict[str, str])
    memory: int = 0
    cpus: float = 0
    processes: int = 0
    ports: tuple[int, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict[str, str])
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    address: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    hosts: Annotated[Mapping[str, str], LEFT_OUT_IF_EMPTY] = field(default_factory=dict[str, str])

    @property
    def published(self) -> str:
        """Return the address at which the engine publishes the ports."""
        return self.address or LOOPBACK

    @property
    def hostname(self) -> str:
        return self.name[:63]

    @property
    def stack(self) -> str:
        """Return the mark of the stack that owns the container."""
        return self.labels[STACK_LABEL]

    def is_of_link(self, network: str) -> bool:
        """Return True for an undeclared network between countries, which `dynamic.link_ends` has the container on."""
        return network not in self.networks and between_countries(network, self.labels.get(NAMESPACE_LABEL, ""))

    def plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = _ADAPTER.dump_python(self)
        return plain


_ADAPTER = TypeAdapter(Declared)


def load(plain: Mapping[str, Any]) -> Declared:
    """Return the declaration from plain data, whose numbers may have become floats."""
    return _ADAPTER.validate_python(dict(plain))


def declare(spec: ServiceSpec, names: Names) -> Declared:
    """Return what is known about a service's container before its image, its files and its stack are."""
    container, port, host = names.container(spec.name), names.port(spec.name), names.host(spec.name)
    mounts = {spec.data: names.data_volume(spec.name)} if spec.data else {}
    if spec.copies:
        mounts[spec.copies] = names.copies_volume(spec.name)
    return Declared(
        container,
        f"{spec.uid}:{spec.uid}",
        spec.health,
        entrypoint=tuple(spec.entrypoint),
        command=tuple(spec.command),
        environment=dict(spec.environment),
        read_only=spec.read_only,
        tmpfs=dict.fromkeys(spec.tmpfs, f"rw,nosuid,nodev,size=256m,uid={spec.uid},gid={spec.uid},mode=0700"),
        memory=spec.memory_mb * _MEGABYTE,
        cpus=spec.cpus,
        processes=spec.pids,
        ports=(port,),
        mounts=mounts,
        networks={names.network: (host, spec.name)},
        labels=names.labels(spec.name, spec.service_class),
        address=names.address,
        hosts=dict(spec.hosts),
    )


def complete(shape: Declared, image: str, files: str, stack: str) -> Declared:
    """Return the whole declaration; `files` is the volume of the service's files."""
    return replace(
        shape,
        image=image,
        mounts={**shape.mounts, FILES: f"{files}:ro"},
        labels={**shape.labels, STACK_LABEL: stack},
    )
