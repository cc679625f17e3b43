"""The ends of a service on the networks of links, with Docker replaced; `providers` has a real one."""

from typing import Any

import pytest

from dive_infra import engines
from dive_infra.dynamic.link_ends import LinkEndsProvider
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import ContainerFailed
from tests.unit.checks.specs import FRANCE, USA
from tests.unit.engines.docker.daemon import Daemon

KEYCLOAK, IDP = FRANCE.container("keycloak"), FRANCE.host("keycloak")
TO_USA, TO_DEU = FRANCE.link_network(USA), f"{FRANCE.namespace}-link-deu-fra"


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    found = Daemon()
    found.container(KEYCLOAK)
    client: Any = found
    monkeypatch.setattr(engines, "connect", lambda: DockerEngine(client))
    return found


def inputs(*networks: str) -> dict[str, Any]:
    return {
        "container": KEYCLOAK,
        "container_id": f"id-of-{KEYCLOAK}",
        "namespace": FRANCE.namespace,
        "links": dict.fromkeys(networks, IDP),
    }


def test_a_service_joins_the_networks_of_its_links_and_leaves_those_of_others(daemon: Daemon) -> None:
    daemon.connect_container_to_network(KEYCLOAK, daemon.network(FRANCE.network), [IDP])
    provider = LinkEndsProvider()
    assert provider.create_resource(inputs(TO_USA, TO_DEU)) == (KEYCLOAK, {})
    assert daemon.joined(KEYCLOAK).keys() == {FRANCE.network, TO_USA, TO_DEU}
    labels = [(n["Labels"].get("dive.link"), n["Labels"].get("dive.namespace")) for n in daemon.networks()]
    assert labels == [(None, None), ("fra-usa", FRANCE.namespace), ("deu-fra", FRANCE.namespace)]
    provider.update_resource(inputs(TO_USA), inputs(TO_USA, TO_DEU))
    assert daemon.joined(KEYCLOAK).keys() == {FRANCE.network, TO_USA}
    assert TO_DEU not in {n["Name"] for n in daemon.networks()}, "no one is on it any more"
    provider.delete_resource(inputs(TO_USA))
    assert daemon.joined(KEYCLOAK).keys() == {FRANCE.network}


def test_what_is_missing_or_too_much_is_drift_and_an_update_resolves_it(daemon: Daemon) -> None:
    provider, wanted = LinkEndsProvider(), inputs(TO_USA)

    def healed() -> bool:
        provider.update_resource(wanted, wanted)
        return provider.drift_reason(wanted) is None

    assert provider.drift_reason(wanted) == f"{TO_USA}: the network does not exist"
    assert healed()
    [id_] = daemon.nets
    daemon.disconnect_container_from_network(KEYCLOAK, id_, True)
    assert provider.drift_reason(wanted) == f"{TO_USA}: is not on it"
    assert healed()
    daemon.connect_container_to_network(KEYCLOAK, id_, ["idp"])
    assert provider.drift_reason(wanted) == f"{TO_USA}: is on it without the name {IDP}"
    assert healed()
    for other in (TO_DEU, FRANCE.retired_network, "elsewhere"):
        daemon.connect_container_to_network(KEYCLOAK, daemon.network(other), [])
    found = provider.drift_reason(wanted)
    assert found == f"{TO_DEU}: of no link that it uses; {FRANCE.retired_network}: of no link that it uses"
    assert healed()
    assert "elsewhere" in daemon.joined(KEYCLOAK), "which its gate reports"


def test_a_container_that_was_renamed_is_found_by_its_id_and_a_missing_one_is_its_probes(daemon: Daemon) -> None:
    provider = LinkEndsProvider()
    daemon.there[KEYCLOAK]["Name"] = "/old"
    assert provider.create_resource(inputs(TO_USA)) == (KEYCLOAK, {}), "its gate renames it"
    assert provider.drift_reason(inputs(TO_USA)) is None
    del daemon.there[KEYCLOAK]
    assert provider.drift_reason(inputs(TO_USA)) is None
    with pytest.raises(ContainerFailed, match=f"{KEYCLOAK}: does not exist"):
        provider.create_resource(inputs(TO_USA))
    provider.delete_resource(inputs(TO_USA))
    assert daemon.networks() == []


def test_another_container_is_no_reason_to_replace_the_resource() -> None:
    found = LinkEndsProvider().diff(KEYCLOAK, inputs(TO_USA), inputs(TO_USA) | {"container_id": "another"})
    assert (found.changes, found.replaces) == (True, [])
    other = LinkEndsProvider().diff(KEYCLOAK, inputs(TO_USA), inputs(TO_USA) | {"container": "another"})
    assert (other.changes, other.replaces) == (True, ["container"]), "the one before leaves its networks"
