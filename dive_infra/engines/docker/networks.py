"""The networks of a name: Docker allows several."""

import docker
from docker.models.networks import Network

from dive_infra.config.naming import STACK_LABEL


def called(client: docker.DockerClient, name: str) -> list[Network]:
    """Return every network of exactly this name, with the containers on it."""
    return [client.networks.get(n.id) for n in client.networks.list(names=[name]) if n.name == name and n.id]


def mark(network: Network) -> str:
    """Return the mark of the stack that owns the network; empty without one."""
    return str((network.attrs["Labels"] or {}).get(STACK_LABEL, ""))


def remove(network: Network) -> None:
    """Remove a network, after taking its containers off it."""
    for container in network.containers:
        network.disconnect(container, force=True)
    network.remove()
