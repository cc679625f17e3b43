"""France burdens what it reaches of the USA, and reaches for the rest: networks, memory and connections.

A person of the USA is served meanwhile, and nothing ends. That a server without limits takes all of it:
`tests/unit/test_flood.py`.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import docker
import pytest

from dive_infra.catalog.services import services
from dive_infra.config.naming import SERVICES
from dive_infra.identity.login import login
from dive_infra.seeds.documents import identifier
from tests.coalition import attack
from tests.coalition.attack import LINKED, REACHED
from tests.coalition.country import Country
from tests.coalition.live import VALIDATED, running, wrong

pytestmark = pytest.mark.timeout(300)

_FROM_OUTSIDE, _ON_THE_LINK = 150, 750  # connections; one of our services holds 400 of one address
_HELD = {"opal-server": 2048}  # by a service that has no share for an address
_PATIENCE = 15  # seconds, on a machine that has other work to do
_MEGABYTE = 2**20


def _of(country: Country, client: docker.DockerClient) -> dict[str, Any]:
    """Return the running containers of a country by service."""
    prefix = f"{country.names.prefix}-"
    found = [name for name in running(client) if name.startswith(prefix)]
    return {name.removeprefix(prefix): client.containers.get(name) for name in found}


def test_a_container_of_france_connects_to_nothing_of_the_usa_but_what_their_link_needs(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """Every port on which a container of the USA listens, at each of its addresses, and at the engine's machine."""
    link, own = fra.names.link_network(usa.names), fra.names.network
    theirs, ours = _of(usa, docker_engine), _of(fra, docker_engine)
    ports = {service: attack.listening(container) for service, container in theirs.items()}
    assert all(usa.names.port(service) in ports[service] for service in REACHED), "else their ports were not found"
    targets = [(at, port) for name, c in theirs.items() for at in attack.addresses(c).values() for port in ports[name]]
    machine = attack.gateways(docker_engine, [usa.names.network, own, link])
    targets += [(at, usa.names.port(service)) for at in machine for service in SERVICES]
    at_home = {(attack.addresses(ours[s])[own], fra.names.port(s)) for s in REACHED.keys() & ours.keys()}
    needed = {(attack.addresses(theirs[service])[link], usa.names.port(service)) for service in LINKED}
    sources = [container for container in ours.values() if attack.has_python(container)]
    with ThreadPoolExecutor() as side_by_side:
        reached = [*side_by_side.map(lambda source: attack.connects(source, [*targets, *at_home]), sources)]
    assert any(link in attack.addresses(source) for source in sources)
    for source, found in zip(sources, reached, strict=True):
        assert found >= at_home, "else it connects to nothing"
        assert found - at_home == (needed if link in attack.addresses(source) else set()), source.name


def served(usa: Country) -> float:
    """Return the seconds that a person of the USA needs to sign in and to open a document."""
    began, outputs = time.monotonic(), usa.outputs()
    person = "testuser-usa-1", outputs["test_user_password"], outputs["ca_certificate"]
    with login(usa.names, usa.names, *person, timeout=10) as session:
        assert session.document(identifier(usa.names, 1)).status_code == 200
    return time.monotonic() - began


def unharmed(
    usa: Country,
    client: docker.DockerClient,
    service: str,
    address: str,
    connections: int,
    burdened: Callable[[dict[str, Any]], AbstractContextManager[dict[str, Any]]],
) -> int:
    """Burden a service; return how many connections were held while a person was served and no container ended.

    The bodies are as large as the memory that the service may have.
    """
    [spec] = [s for s in services(usa.names, usa.names, [], {}) if s.name == service]
    burden = attack.burden(usa.names, service, address, connections, spec.memory_mb * _MEGABYTE)
    before = running(client)
    with burdened(burden) as done:
        assert served(usa) < _PATIENCE
    assert running(client) == before
    assert not client.containers.get(usa.names.container(service)).attrs["State"]["OOMKilled"]
    assert len(done["bodies"]) == len(burden["paths"]) * burden["bodies"]
    assert [body for body in done["bodies"] if body["taken"] >= burden["size"]] == [], "read to its end"
    return sum(done[kind] for kind in REACHED[service].kinds)


@pytest.mark.parametrize("service", REACHED)
def test_connections_and_bodies_from_outside_do_not_end_a_service_of_the_usa(
    usa: Country, docker_engine: docker.DockerClient, service: str
) -> None:
    """Where France's machine reaches its port."""
    held = unharmed(usa, docker_engine, service, usa.names.published, _FROM_OUTSIDE, attack.from_here)
    assert held == _FROM_OUTSIDE


@pytest.mark.parametrize("service", LINKED)
def test_connections_and_bodies_on_the_link_do_not_end_a_service_of_the_usa(
    usa: Country, fra: Country, docker_engine: docker.DockerClient, service: str
) -> None:
    """More connections than its memory is there for; our own services close those beyond the share of an address."""
    source = docker_engine.containers.get(fra.names.container("opal-client"))
    at = attack.addresses(_of(usa, docker_engine)[service])[fra.names.link_network(usa.names)]
    most = _HELD.get(service)
    number = most + 500 if most else _ON_THE_LINK
    held = unharmed(usa, docker_engine, service, at, number, partial(attack.from_within, source))
    assert held > _ON_THE_LINK / 3
    assert most is None or held <= most


def test_no_burden_has_left_anything_behind(usa: Country, fra: Country) -> None:
    for country in (usa, fra):
        assert wrong(country.state(), *VALIDATED) == []
