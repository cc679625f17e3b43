"""The networks of a name on the engine, which allows several."""

import docker
from docker.models.networks import Network


def called(client: docker.DockerClient, name: str) -> list[Network]:
    """Every network of exactly this name, with who is on it."""
    return [client.networks.get(n.id) for n in client.networks.list(names=[name]) if n.name == name and n.id]


def mark(network: Network) -> str:
    """The stack that the network is of; empty when it is nobody's."""
    return str((network.attrs["Labels"] or {}).get("dive.stack", ""))


def ours_by_use(network: Network, stack: str) -> bool:
    """Nobody's by its labels, and used by containers of `stack` alone: made anew by hand in place of ours."""
    users = [(c.labels or {}).get("dive.stack") for c in network.containers]
    return not mark(network) and bool(users) and set(users) == {stack}
