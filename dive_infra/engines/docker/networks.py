"""The networks of a name, of which Docker allows several, and the address ranges for new ones."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from itertools import islice
from typing import Any

import docker
from docker.models.networks import Network

from dive_infra.config.naming import STACK_LABEL

# Where Docker takes address ranges from, unless it is configured: moby's libnetwork/ipamutils.
_DEFAULT_POOLS = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)


def free_ranges(info: Mapping[str, Any], networks: Sequence[Mapping[str, Any]], most: int) -> int | None:
    """Return how many address ranges of Docker's pools no network overlaps, counted to `most`; None if unreadable.

    Docker also avoids the routes of its host, so it may have fewer: no country is refused for an estimate.
    """
    configured = [(pool["Base"], pool["Size"]) for pool in info.get("DefaultAddressPools") or []]
    local = [network for network in networks if network.get("Scope") == "local"]
    used = [part["Subnet"] for network in local for part in (network.get("IPAM") or {}).get("Config") or []]
    try:
        return sum(1 for _ in islice(_free(configured or _DEFAULT_POOLS, _v4(used)), most))
    except ValueError:
        return None


def _free(pools: Sequence[tuple[str, int]], used: Sequence[IPv4Network]) -> Iterator[IPv4Network]:
    for base, size in pools:
        for pool in _v4([base]):
            if not any(pool.subnet_of(taken) for taken in used):
                yield from (part for part in pool.subnets(new_prefix=size) if not any(map(part.overlaps, used)))


def _v4(ranges: Sequence[str]) -> list[IPv4Network]:
    found = (ip_network(text, strict=False) for text in ranges)
    return [network for network in found if isinstance(network, IPv4Network)]


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
