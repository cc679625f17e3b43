"""The ends of two countries on the network of their link, called as the engine calls them, on a real engine."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from dive_infra.catalog.spec import HealthCheck
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.dynamic.gate import GateProvider
from dive_infra.dynamic.link_ends import LinkEndsProvider
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import engine, links
from dive_infra.engines.docker.networks import called
from dive_infra.images import resolution
from tests.support.by_hand import create

USA = Names(HUB, "divetestlinks")
FRA = USA.of(COUNTRIES["FRA"])
LINK = FRA.link_network(USA)
MEGABYTE = 1024 * 1024


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = engine.client()
    yield found
    for container in found.containers.list(all=True, filters={"label": f"dive.namespace={USA.namespace}"}):
        container.remove(force=True, v=True)
    for name in (USA.network, FRA.network, LINK):
        for network in called(found, name):
            network.remove()
    found.close()


@pytest.fixture
def start(client: docker.DockerClient) -> Callable[[Names], tuple[Container, Declared]]:
    image = resolution.resolve(client, "redis", "redis:7.4.7-bookworm").id

    def started(names: Names) -> tuple[Container, Declared]:
        """Return a country's Keycloak: a Redis that listens on its port, in the country's network."""
        labels = names.labels("keycloak", "core") | {"dive.stack": f"{names.country.lower}-1"}
        client.networks.create(names.network, labels=labels)
        port = names.port("keycloak")
        declared = Declared(
            names.container("keycloak"),
            "999:999",
            HealthCheck(("redis-cli", "-p", str(port), "ping"), interval=1, timeout=1, retries=2, start_period=0),
            image,
            ("redis-server",),
            ("--port", str(port), "--protected-mode", "no", "--save", ""),
            tmpfs={"/data": "rw,uid=999,gid=999"},
            memory=64 * MEGABYTE,
            cpus=0.5,
            processes=50,
            ports=(port,),
            networks={names.network: (names.host("keycloak"), "keycloak")},
            labels=labels,
        )
        container = create(client, declared, pids_limit=declared.processes, working_dir="/data")
        container.start()
        return container, declared

    return started


def inputs(names: Names, container: Container, *partners: Names) -> dict[str, Any]:
    return {
        "container": names.container("keycloak"),
        "container_id": container.id,
        "namespace": names.namespace,
        "links": {names.link_network(partner): names.host("keycloak") for partner in partners},
    }


def reaches(container: Container, names: Names) -> bool:
    """Whether the other country's Keycloak answers in a container, by its host name."""
    asked = ["redis-cli", "-h", names.host("keycloak"), "-p", str(names.port("keycloak")), "ping"]
    return bool(container.exec_run(["timeout", "3", *asked]).exit_code == 0)


def born(container: Container) -> tuple[str, str]:
    container.reload()
    return str(container.id), container.attrs["State"]["StartedAt"]


def test_two_countries_meet_on_the_network_of_their_link_and_nothing_restarts(
    client: docker.DockerClient, start: Callable[[Names], tuple[Container, Declared]]
) -> None:
    (usa, _), (fra, declared) = start(USA), start(FRA)
    before, provider = (born(usa), born(fra)), LinkEndsProvider()
    assert not reaches(fra, USA)
    for names, container, partner in ((USA, usa, FRA), (FRA, fra, USA)):
        provider.create(inputs(names, container, partner))
        assert provider.drift_reason(inputs(names, container, partner)) is None
    assert reaches(fra, USA)
    assert reaches(usa, FRA)
    [network] = called(client, LINK)
    assert network.attrs["Internal"], "no published port moves to it"
    assert network.attrs["Labels"] == {"dive.namespace": USA.namespace, "dive.link": "fra-usa"}
    published = client.containers.get(str(usa.id)).ports[f"{USA.port('keycloak')}/tcp"]
    assert published == [{"HostIp": LOOPBACK, "HostPort": str(USA.port("keycloak"))}]

    # The gate of a container on it finds nothing to do, and leaves it there when it has something to do.
    gate = {"container": declared.name, "container_id": fra.id, "service_class": "core", "deadline": 20}
    opened = GateProvider().create({**gate, "declared": declared.plain()}).outs
    assert opened
    assert GateProvider().drift_reason(opened) is None
    client.networks.get("bridge").connect(fra)
    assert "bridge/?" in (GateProvider().drift_reason(opened) or "")
    GateProvider().update(declared.name, opened, {**gate, "declared": declared.plain()})
    assert GateProvider().drift_reason(opened) is None
    assert reaches(usa, FRA)

    provider.update(declared.name, inputs(FRA, fra, USA), inputs(FRA, fra))
    assert not reaches(usa, FRA)
    assert called(client, LINK), "the other side is still on it"
    provider.delete(USA.container("keycloak"), inputs(USA, usa, FRA))
    assert not called(client, LINK)
    assert (born(usa), born(fra)) == before


def test_many_who_create_the_network_at_once_create_one(client: docker.DockerClient) -> None:
    """Docker itself would create one for each of them."""
    image, labels = resolution.resolve(client, "redis", "redis:7.4.7-bookworm").id, USA.labels("redis", "core")
    several = [client.containers.create(image, labels=labels) for _ in range(4)]
    alias = USA.host("keycloak")
    with ThreadPoolExecutor(len(several)) as at_once:
        list(at_once.map(lambda c: links.join(client, str(c.id), LINK, alias, {}), several))
    [network] = called(client, LINK)
    for container in several:
        assert links.ends(client.api.inspect_container(str(container.id)))[LINK].leads_to(str(network.id))
        links.leave(client, str(container.id), LINK)
    assert not called(client, LINK)


def test_an_end_that_is_lost_or_without_its_name_is_repaired_in_place(
    client: docker.DockerClient, start: Callable[[Names], tuple[Container, Declared]]
) -> None:
    fra, _ = start(FRA)
    provider, wanted = LinkEndsProvider(), inputs(FRA, fra, USA)
    provider.create(wanted)
    before = born(fra)
    [network] = called(client, LINK)
    network.disconnect(fra)
    assert provider.drift_reason(wanted) == f"{LINK}: is not on it"
    network.connect(fra)
    assert "is on it without the name" in (provider.drift_reason(wanted) or "")
    provider.update(FRA.container("keycloak"), wanted, wanted)
    assert provider.drift_reason(wanted) is None
    fra.restart(timeout=2)
    assert provider.drift_reason(wanted) is None, "a restart keeps it"
    assert born(fra)[0] == before[0]


def test_a_stopped_container_whose_network_is_gone_can_be_started_again(
    client: docker.DockerClient, start: Callable[[Names], tuple[Container, Declared]]
) -> None:
    fra, declared = start(FRA)
    provider, wanted = LinkEndsProvider(), inputs(FRA, fra, USA)
    provider.create(wanted)
    fra.stop(timeout=2)
    client.networks.get(LINK).remove()
    assert provider.drift_reason(wanted) == f"{LINK}: the network does not exist"
    provider.update(declared.name, wanted, wanted)
    gate = {"container": declared.name, "container_id": fra.id, "service_class": "core", "deadline": 20}
    GateProvider().create({**gate, "declared": declared.plain()})
    assert provider.drift_reason(wanted) is None
    fra.reload()
    assert fra.attrs["NetworkSettings"]["Networks"][LINK]["NetworkID"] == client.networks.get(LINK).id
