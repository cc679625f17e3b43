"""Data volumes and networks, called as the engine calls them, on a real engine."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.data_volume import CopiesVolumeProvider, DataVolumeProvider
from dive_infra.dynamic.network_probe import NetworkProbeProvider
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.networks import called
from dive_infra.images import resolution

VOLUME, NETWORK = "divetest-storage-data", "divetest-storage"
MARK = {"dive.stack": "t-1"}
LABELS = {"dive.country": "FRA", "dive.namespace": "divetest-storage", "dive.service": "mongodb", **MARK}
INPUTS = {"volume": VOLUME, "labels": LABELS}


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = engine.client()
    yield found
    for container in found.containers.list(all=True, filters={"name": NETWORK}):
        container.remove(force=True)
    for network in called(found, NETWORK):
        network.remove()
    with suppress(NotFound):
        found.volumes.get(VOLUME).remove()
    found.close()


# Data volumes.


@pytest.fixture
def made(client: docker.DockerClient) -> dict[str, Any]:
    outputs = DataVolumeProvider().create(INPUTS).outs
    assert outputs
    return outputs


def test_a_data_volume_is_made_once_with_its_labels(client: docker.DockerClient, made: dict[str, Any]) -> None:
    assert client.volumes.get(VOLUME).attrs["Labels"] == LABELS
    assert not DataVolumeProvider().diff(VOLUME, made, INPUTS).changes
    again = DataVolumeProvider().create(INPUTS).outs
    assert again == made, "one that a dead run made is adopted"


def test_a_lost_volume_is_refused_with_what_was_lost_and_the_two_commands(
    client: docker.DockerClient, made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client.volumes.get(VOLUME).remove()
    assert DataVolumeProvider().diff(VOLUME, made, INPUTS).changes
    assert "the data of mongodb is lost" in capsys.readouterr().out
    with pytest.raises(ProviderError) as caught:
        DataVolumeProvider().update(VOLUME, made, INPUTS)
    told = str(caught.value)
    assert "the data of mongodb is lost" in told
    assert "docker volume create --label dive.country=FRA --label dive.namespace=divetest-storage" in told
    assert f"DIVE_ACCEPT_LOSS={VOLUME} pulumi up -s fra" in told
    with pytest.raises(NotFound):
        client.volumes.get(VOLUME)


def test_a_volume_that_was_restored_as_the_message_says_is_the_same(
    client: docker.DockerClient, made: dict[str, Any]
) -> None:
    client.volumes.get(VOLUME).remove()
    client.volumes.create(VOLUME, labels=LABELS)
    assert not DataVolumeProvider().diff(VOLUME, made, INPUTS).changes


def test_one_that_docker_made_in_its_place_is_lost_all_the_same(
    client: docker.DockerClient, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.volumes.get(VOLUME).remove()
    client.volumes.create(VOLUME)
    monkeypatch.setenv(ACCEPT_LOSS, VOLUME)
    with pytest.raises(ProviderError, match=r"is of stack \(none\), not of t-1"):
        DataVolumeProvider().update(VOLUME, made, INPUTS)
    assert client.volumes.get(VOLUME), "nothing is removed that might be somebody's"


def test_an_accepted_loss_starts_another_incarnation_once(
    client: docker.DockerClient,
    made: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client.volumes.get(VOLUME).remove()
    monkeypatch.setenv(ACCEPT_LOSS, f"another,{VOLUME}")
    after = DataVolumeProvider().update(VOLUME, made, INPUTS).outs
    assert after
    assert after["incarnation"] == made["incarnation"] + 1
    assert client.volumes.get(VOLUME).attrs["Labels"] == LABELS
    assert not DataVolumeProvider().diff(VOLUME, after, INPUTS).changes
    assert f"{ACCEPT_LOSS} names {VOLUME}, which is not lost" in capsys.readouterr().out


def test_the_volume_of_another_stack_is_not_taken(client: docker.DockerClient) -> None:
    client.volumes.create(VOLUME, labels={**LABELS, "dive.stack": "t-2"})
    with pytest.raises(ProviderError, match="is of stack t-2, not of t-1"):
        DataVolumeProvider().create(INPUTS)


def test_a_lost_volume_of_copies_is_created_again_without_a_question(client: docker.DockerClient) -> None:
    copies = CopiesVolumeProvider()
    outputs = copies.create(INPUTS).outs
    assert outputs is not None
    assert not copies.diff(VOLUME, outputs, INPUTS).changes
    client.volumes.get(VOLUME).remove()
    assert copies.diff(VOLUME, outputs, INPUTS).changes
    copies.update(VOLUME, outputs, INPUTS)
    assert client.volumes.get(VOLUME).attrs["Labels"] == LABELS
    copies.delete(VOLUME, outputs)
    with pytest.raises(NotFound):
        client.volumes.get(VOLUME)


# Networks.


def network_probe() -> dict[str, Any]:
    return {"network": NETWORK, "stack": "t-1"}


@pytest.fixture
def probed() -> dict[str, Any]:
    outputs = NetworkProbeProvider().create(network_probe()).outs
    assert outputs
    return outputs


def joined(client: docker.DockerClient, network_id: str | None, mark: dict[str, str]) -> None:
    image = resolution.resolve(client, "redis", "redis:7.4.7-bookworm").id
    container = client.containers.create(
        image, ["600"], entrypoint=["sleep"], name=f"{NETWORK}-user-{len(client.containers.list())}", labels=mark
    )
    client.networks.get(network_id or "").connect(container)
    container.start()


def mended(before: dict[str, Any]) -> int:
    provider = NetworkProbeProvider()
    assert provider.diff(NETWORK, before, network_probe()).changes
    after = provider.update(NETWORK, before, network_probe()).outs
    assert after
    return int(after["generation"])


def test_a_network_that_is_ours_stays(client: docker.DockerClient, probed: dict[str, Any]) -> None:
    client.networks.create(NETWORK, labels=MARK)
    assert not NetworkProbeProvider().diff(NETWORK, probed, network_probe()).changes


def test_a_network_that_is_gone_is_recreated(client: docker.DockerClient, probed: dict[str, Any]) -> None:
    assert mended(probed) == 1


def test_one_made_by_hand_for_our_containers_gives_way(client: docker.DockerClient, probed: dict[str, Any]) -> None:
    joined(client, client.networks.create(NETWORK).id, MARK)
    assert mended(probed) == 1
    assert called(client, NETWORK) == []


def test_two_of_one_name_both_give_way(client: docker.DockerClient, probed: dict[str, Any]) -> None:
    for labels in (MARK, MARK):
        client.networks.create(NETWORK, labels=labels)
    assert mended(probed) == 1
    assert called(client, NETWORK) == []


@pytest.mark.parametrize(("labels", "user"), [({"dive.stack": "t-2"}, MARK), ({}, {}), ({}, None)])
def test_a_network_of_another_owner_is_refused(
    client: docker.DockerClient, probed: dict[str, Any], labels: dict[str, str], user: dict[str, str] | None
) -> None:
    network = client.networks.create(NETWORK, labels=labels)
    if user is not None:
        joined(client, network.id, user)
    with pytest.raises(ProviderError, match=f"docker network rm {network.short_id}"):
        mended(probed)
    assert called(client, NETWORK)
