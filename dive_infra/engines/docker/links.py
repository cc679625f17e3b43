"""Networks between countries: containers join and leave them in place, running or not.

Such a network has no way out (`internal`), so that a container's published ports never move to it from its country's
network, which Docker chooses between by name otherwise.

Several services and both countries may create it at the same time. Docker compares names before it creates a network,
not while; two bridges of one name it never creates, so the bridge has a name of its own too.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

import docker
from docker.errors import APIError, NotFound

from dive_infra.engines.engine import ContainerFailed, NetworkEnd
from dive_infra.process.crash_points import crash_point

_IN_USE, _GONE, _EXISTS = 403, 404, 409  # Docker's answers
_CONFLICT = "conflicts with network"  # its answer 403 to a second bridge of one name
_BRIDGE = "com.docker.network.bridge.name"
_CREATED = 10.0  # seconds until a network that another process creates is listed; milliseconds on an idle machine
_POLL = 0.05


def ends(attributes: Mapping[str, Any]) -> dict[str, NetworkEnd]:
    """Return network -> a container's end on it, as Docker describes the container."""
    found = attributes["NetworkSettings"]["Networks"] or {}
    return {name: NetworkEnd(end["NetworkID"] or "", tuple(end["Aliases"] or ())) for name, end in found.items()}


def ids(networks: list[dict[str, Any]]) -> dict[str, str]:
    """Return name -> id. Docker may have several networks of one name: all countries choose the lowest id."""
    return {n["Name"]: n["Id"] for n in sorted(networks, key=lambda n: str(n["Id"]), reverse=True)}


def join(client: docker.DockerClient, container: str, network: str, alias: str, labels: Mapping[str, str]) -> None:
    """Have a container on a network by this name, and create the network if there is none."""
    found = ids(client.api.networks())
    if network not in found:
        _create(client, network, labels)
        found = _listed(client, network)
    end = ends(client.api.inspect_container(container)).get(network)
    if end and end.leads_to(found[network]) and alias in end.aliases:
        return
    with crash_point("join network"):
        if end:
            client.api.disconnect_container_from_network(container, _place(client, network, end), force=True)
        client.api.connect_container_to_network(container, found[network], aliases=[alias])


def leave(client: docker.DockerClient, container: str, network: str) -> None:
    """Take a container off a network, and remove the network once no container is on it, running or not."""
    with crash_point("leave network"):
        with suppress(NotFound):  # without its container, there is no end
            if end := ends(client.api.inspect_container(container)).get(network):
                client.api.disconnect_container_from_network(container, _place(client, network, end), force=True)
        if client.api.containers(all=True, filters={"network": network}):
            return
        if id_ := ids(client.api.networks()).get(network):
            try:
                client.api.remove_network(id_)
            except APIError as error:  # the other country has removed it, or has joined meanwhile
                if error.status_code not in (_GONE, _IN_USE):
                    raise


def _create(client: docker.DockerClient, network: str, labels: Mapping[str, str]) -> None:
    with crash_point("create network"):
        try:
            client.api.create_network(
                network,
                "bridge",
                options={_BRIDGE: bridge(client.info()["ID"], network)},
                internal=True,
                labels=dict(labels),
                check_duplicate=True,
            )
        except APIError as error:
            if error.status_code != _EXISTS and _CONFLICT not in str(error):  # another one creates it
                raise


def bridge(engine: str, network: str) -> str:
    """Return the name of a network's interface on the host of an engine: at most 15 characters, as Linux has it."""
    return f"dive-{sha256(f'{engine} {network}'.encode()).hexdigest()[:10]}"


def _listed(client: docker.DockerClient, network: str) -> dict[str, str]:
    """Return the ids of all networks, once this one is among them."""
    ends = time.monotonic() + _CREATED
    while network not in (found := ids(client.api.networks())):
        if time.monotonic() > ends:
            raise ContainerFailed(
                f"network {network}: not there {_CREATED:.0f} s after it was created, expected in milliseconds: someone"
                f" removes it, or a network of another name has its bridge (`ip link show type bridge`)"
            )
        time.sleep(_POLL)
    return found


def _place(client: docker.DockerClient, network: str, end: NetworkEnd) -> str:
    """Return how Docker calls the network of an end: a stopped container keeps one that is gone, by its name alone."""
    return end.network if end.network in {n["Id"] for n in client.api.networks()} else network
