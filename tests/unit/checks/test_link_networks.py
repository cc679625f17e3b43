"""The networks of links, without an engine."""

from dataclasses import replace
from typing import Any

import pytest

from dive_infra.catalog.spec import HealthCheck
from dive_infra.checks import link_networks, objects
from dive_infra.checks.spec import ContainerSpec
from dive_infra.config.naming import Names
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from tests.unit.checks.specs import DEPLOYMENT, FRANCE, USA
from tests.unit.engines.docker.daemon import Daemon

LINK, RETIRED = FRANCE.link_network(USA), FRANCE.retired_network
KEYCLOAK, POSTGRES = FRANCE.container("keycloak"), FRANCE.container("postgres")


def declared(names: Names, service: str, *networks: str) -> ContainerSpec:
    health = HealthCheck(("true",))
    ends = dict.fromkeys((names.network, *networks), (names.host(service),))
    return ContainerSpec(service, "core", Declared(names.container(service), "1:1", health, networks=ends), "f1")


SPEC = replace(
    DEPLOYMENT,
    containers=(declared(FRANCE, "keycloak"), declared(FRANCE, "postgres")),
    links={LINK: {KEYCLOAK: FRANCE.host("keycloak")}},
)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    found = Daemon()
    for names, services in ((FRANCE, ("keycloak", "postgres")), (USA, ("keycloak", "backend"))):
        for service in services:
            found.container(names.container(service), names.labels(service, "core"))
    client: Any = found
    monkeypatch.setattr(objects, "connect", lambda: DockerEngine(client))
    join(found, found.network(LINK), KEYCLOAK, FRANCE.host("keycloak"))
    for service in ("keycloak", "backend"):
        join(found, "net-1", USA.container(service), USA.host(service))
    return found


def join(daemon: Daemon, network: str, container: str, *aliases: str) -> None:
    daemon.connect_container_to_network(container, network, aliases)


def invalid(daemon: Daemon) -> list[Finding]:
    return [f for f in link_networks.findings(SPEC) if f.verdict == Verdict.INVALID]


def test_both_sides_on_the_network_are_valid(daemon: Daemon) -> None:
    [valid] = link_networks.findings(SPEC)
    assert (valid.verdict, valid.found) == (Verdict.VALID, "1 ends on 1 networks")
    [none] = link_networks.findings(replace(SPEC, links={}, containers=()))
    assert none.verdict == Verdict.VALID, "a country without a partner"


def test_an_end_that_is_missing_is_healed_by_an_update(daemon: Daemon) -> None:
    daemon.disconnect_container_from_network(KEYCLOAK, "net-1", True)
    [found] = link_networks.findings(SPEC)
    assert found.code == Code.NETWORK
    assert (
        found.statement == f"network {LINK}: {KEYCLOAK}: is not on it; expected by the name {FRANCE.host('keycloak')}"
    )
    assert str(found.remedy) == "pulumi up"
    join(daemon, "net-1", KEYCLOAK, "idp")
    assert "without the name" in invalid(daemon)[0].found
    daemon.nets.clear()
    assert [f.found for f in invalid(daemon)] == [f"{KEYCLOAK}: the network does not exist"]
    del daemon.there[KEYCLOAK]
    assert invalid(daemon) == [], "DEPLOYMENT reports the container"


def test_a_stranger_is_named_with_the_command_that_takes_it_off_and_a_partner_is_not(daemon: Daemon) -> None:
    daemon.container("stranger", running=False)
    daemon.container(USA.container("kas"))  # recreated by hand, without its labels: its own country's business
    daemon.container("renamed", USA.labels("opal-server", "core"))
    for name in ("stranger", USA.container("kas"), "renamed"):
        join(daemon, "net-1", name)
    [found] = invalid(daemon)
    assert found.undeclared
    assert str(found.remedy) == f"docker network disconnect {LINK} stranger"


def test_an_own_container_that_the_link_does_not_need_is_named(daemon: Daemon) -> None:
    elsewhere = f"{FRANCE.namespace}-link-deu-fra"
    join(daemon, "net-1", POSTGRES)
    join(daemon, daemon.network(elsewhere), KEYCLOAK)
    assert [str(f.remedy) for f in invalid(daemon)] == [
        f"docker network disconnect {elsewhere} {KEYCLOAK}",
        f"docker network disconnect {LINK} {POSTGRES}",
    ]


def test_all_countries_may_be_on_the_network_of_the_previous_release(daemon: Daemon) -> None:
    retired = daemon.network(RETIRED)
    hub = replace(
        SPEC,
        names=USA,
        containers=(declared(USA, "keycloak"),),
        links={RETIRED: {USA.container("keycloak"): USA.host("keycloak")}, LINK: {}},
    )
    daemon.disconnect_container_from_network(USA.container("keycloak"), "net-1", True)
    join(daemon, retired, USA.container("keycloak"), USA.host("keycloak"))
    join(daemon, retired, KEYCLOAK, FRANCE.host("keycloak"))
    [valid] = link_networks.findings(hub)
    assert valid.verdict == Verdict.VALID
    before = replace(SPEC, containers=(declared(FRANCE, "keycloak", RETIRED),), links={})
    daemon.disconnect_container_from_network(KEYCLOAK, "net-1", True)
    assert [f.verdict for f in link_networks.findings(before)] == [Verdict.VALID], "a state of the previous release"
