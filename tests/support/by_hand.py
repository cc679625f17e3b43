"""Making a container by hand, as declared or with something else in it: what an operator, or a dead run, leaves."""

from typing import Any

import docker
from docker.models.containers import Container

from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.units import NANOSECONDS, RESTART


def create(client: docker.DockerClient, declared: Declared, **other: Any) -> Container:
    """The declared container, not started; `other` are arguments of docker's `create` that replace declared ones."""
    check = declared.health
    mounts = {
        volume.removesuffix(":ro"): {"bind": place, "mode": "ro" if volume.endswith(":ro") else "rw"}
        for place, volume in declared.mounts.items()
    }
    config: dict[str, Any] = {
        "image": declared.image,
        "name": declared.name,
        "hostname": declared.hostname,
        "user": declared.user,
        "entrypoint": list(declared.entrypoint) or None,
        "command": list(declared.command) or None,
        "environment": dict(declared.environment),
        "read_only": declared.read_only,
        "tmpfs": dict(declared.tmpfs),
        "mem_limit": declared.memory,
        "memswap_limit": declared.memory,
        "nano_cpus": round(declared.cpus * NANOSECONDS),
        "ports": {f"{port}/tcp": (declared.published, port) for port in declared.ports},
        "extra_hosts": dict(declared.hosts),
        "volumes": mounts,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart_policy": {"Name": RESTART},
        "labels": dict(declared.labels),
        "network_mode": "bridge",
        "healthcheck": {
            "test": ["CMD", *check.test],
            "interval": check.interval * NANOSECONDS,
            "timeout": check.timeout * NANOSECONDS,
            "start_period": check.start_period * NANOSECONDS,
            "retries": check.retries,
        },
    }
    container = client.containers.create(**{**config, **other})
    client.networks.get("bridge").disconnect(container)
    for network, aliases in declared.networks.items():
        client.networks.get(network).connect(container, aliases=list(aliases))
    return container
