"""Joining and leaving networks between countries, with Docker replaced; `providers` has a real one."""

from typing import Any, cast

import pytest

from dive_infra.config.naming import LINK_LABEL, NAMESPACE_LABEL
from dive_infra.engines.docker import links
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import ContainerFailed, NetworkEnd
from tests.unit.engines.docker.daemon import Daemon, refusal

LINK, IDP, LABELS = "t-link-fra-usa", "idp.fra.t.localhost", {NAMESPACE_LABEL: "t", LINK_LABEL: "fra-usa"}


@pytest.fixture
def daemon() -> Daemon:
    found = Daemon()
    found.container("t-fra-keycloak")
    return found


@pytest.fixture
def engine(daemon: Daemon) -> DockerEngine:
    client: Any = daemon
    return DockerEngine(client)


def test_the_first_to_join_creates_the_network_and_the_second_joins_it(daemon: Daemon, engine: DockerEngine) -> None:
    daemon.container("t-usa-keycloak")
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    engine.join("t-usa-keycloak", LINK, "idp.usa.t.localhost", LABELS)
    assert daemon.calls == [f"create {LINK}", "connect t-fra-keycloak net-1", "connect t-usa-keycloak net-1"]
    assert [n["Labels"] for n in daemon.networks()] == [LABELS]
    assert IDP in daemon.joined("t-fra-keycloak")[LINK]


def test_who_is_on_it_already_is_left_alone(daemon: Daemon, engine: DockerEngine) -> None:
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    del daemon.calls[:]
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == []


def listed_later(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, network: str, looks: int) -> None:
    """Have Docker list the network of the link only after so many looks."""
    before = iter([[]] * looks)
    monkeypatch.setattr(daemon, "networks", lambda: next(before, [{"Name": LINK, "Id": network}]))


def test_a_network_that_the_other_country_creates_meanwhile_is_joined(
    daemon: Daemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = daemon.network(LINK)
    listed_later(daemon, monkeypatch, theirs, looks=1)
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == [f"create {LINK}", f"connect t-fra-keycloak {theirs}"]


def test_a_network_whose_bridge_exists_is_awaited_until_it_is_listed(
    daemon: Daemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker has another one's bridge before it lists the network."""
    daemon.bridges = {links.bridge("engine-1", LINK)}
    theirs = daemon.network(LINK)
    listed_later(daemon, monkeypatch, theirs, looks=3)
    daemon.nets[theirs]["Name"] = "not listed yet"
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == [f"create {LINK}", f"connect t-fra-keycloak {theirs}"]


def test_a_bridge_that_another_network_has_is_reported(
    daemon: Daemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.bridges = {links.bridge("engine-1", LINK)}
    monkeypatch.setattr(links, "_CREATED", 0.1)
    with pytest.raises(ContainerFailed, match=f"network {LINK}: not there 0 s after"):
        engine.join("t-fra-keycloak", LINK, IDP, LABELS)


def test_the_bridge_of_a_network_has_a_name_that_linux_takes_and_no_other_has() -> None:
    names = {links.bridge(engine, network) for engine in ("a", "b") for network in ("t-link-fra-usa", LINK + "x")}
    assert len(names) == 4
    assert {len(name) for name in names} == {15}


def test_a_network_that_cannot_be_created_is_an_error(
    daemon: Daemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise refusal(500, "no available network")

    monkeypatch.setattr(daemon, "create_network", refused)
    with pytest.raises(Exception, match="no available network"):
        links.join(cast(Any, daemon), "t-fra-keycloak", LINK, IDP, LABELS)


def test_what_docker_leaves_out_of_an_end_is_nothing() -> None:
    """Of a container that was put on a network by hand, or was never started."""
    assert links.ends({"NetworkSettings": {"Networks": None}}) == {}
    found = links.ends({"NetworkSettings": {"Networks": {LINK: {"NetworkID": None, "Aliases": None}}}})
    assert found == {LINK: NetworkEnd("", ())}


def test_an_end_without_its_name_or_on_another_network_of_the_name_is_replaced(
    daemon: Daemon, engine: DockerEngine
) -> None:
    """Docker may have two of one name: both countries choose the same."""
    second = daemon.network(LINK, "net-b")
    daemon.connect_container_to_network("t-fra-keycloak", second, [IDP])
    first = daemon.network(LINK, "net-a")
    del daemon.calls[:]
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == ["disconnect t-fra-keycloak net-b", "connect t-fra-keycloak net-a"]
    engine.join("t-fra-keycloak", LINK, "idp", LABELS)
    assert engine.observe("t-fra-keycloak").networks[LINK].aliases[0] == "idp"
    assert engine.network_ids() == {LINK: first}


def test_a_stopped_container_is_taken_off_a_network_that_is_gone_and_joins_the_new_one(
    daemon: Daemon, engine: DockerEngine
) -> None:
    """With its end there it could not be started."""
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    daemon.there["t-fra-keycloak"]["State"]["Running"] = False
    daemon.nets.clear()
    del daemon.calls[:]
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == [f"create {LINK}", f"disconnect t-fra-keycloak {LINK}", "connect t-fra-keycloak net-2"]
    del daemon.calls[:]
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    assert daemon.calls == [], "it learns the network's id when it starts"


def test_the_last_one_to_leave_removes_the_network_and_a_stopped_one_keeps_it(
    daemon: Daemon, engine: DockerEngine
) -> None:
    daemon.container("t-usa-keycloak", running=False)
    engine.join("t-fra-keycloak", LINK, IDP, LABELS)
    engine.join("t-usa-keycloak", LINK, "idp.usa.t.localhost", LABELS)
    engine.leave("t-fra-keycloak", LINK)
    assert [user.name for user in engine.attached(LINK)] == ["t-usa-keycloak"]
    assert daemon.networks()
    engine.leave("t-usa-keycloak", LINK)
    assert daemon.networks() == []
    engine.leave("t-usa-keycloak", LINK)
    engine.leave("t-gone", LINK)


@pytest.mark.parametrize(("status", "passes"), [(403, True), (404, True), (500, False)])
def test_a_network_that_someone_joins_or_removes_meanwhile_is_theirs(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, status: int, passes: bool
) -> None:
    daemon.network(LINK)

    def refused(_id: str) -> None:
        raise refusal(status, "has active endpoints")

    monkeypatch.setattr(daemon, "remove_network", refused)
    client: Any = daemon
    if passes:
        links.leave(client, "t-fra-keycloak", LINK)
    else:
        with pytest.raises(Exception, match="has active endpoints"):
            links.leave(client, "t-fra-keycloak", LINK)
