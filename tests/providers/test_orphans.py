"""What a dead deployment left is shown, and removed when it is named: never data without a word, never what runs."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from dive_infra.checks import preflight
from dive_infra.checks.runner import CheckFailed
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import ACCEPT_LOSS, REMOVE
from dive_infra.dynamic.orphans import OrphansProvider
from tests.support.record import HUB_NAMES, Record

FRANCE = HUB_NAMES.of(COUNTRIES["FRA"])
DATA, FILES = FRANCE.data_volume("redis"), FRANCE.files_volume("redis")
PROVIDER = OrphansProvider()


@pytest.fixture
def left(record: Record) -> Iterator[docker.DockerClient]:
    """A container, a network and two volumes of a stack that no longer exists."""
    client = record.lab.engine
    labels = FRANCE.labels("redis", "core") | {"dive.stack": "fra-dead"}
    client.networks.create(FRANCE.network, labels=labels)
    for volume in (DATA, FILES):
        client.volumes.create(volume, labels=labels)
    image = record.container.attrs["Image"]
    client.containers.create(
        image, ["600"], entrypoint=["sleep"], name=FRANCE.container("redis"), labels=labels
    ).start()
    yield client
    for remove in (
        lambda: client.containers.get(FRANCE.container("redis")).remove(force=True),
        lambda: client.networks.get(FRANCE.network).remove(),
        lambda: client.volumes.get(DATA).remove(),
        lambda: client.volumes.get(FILES).remove(),
    ):
        with suppress(NotFound):
            remove()


def names(client: docker.DockerClient) -> set[str]:
    filters = {"label": ["dive.stack=fra-dead"]}
    volumes = {v.name for v in client.volumes.list(filters=filters)}
    networks = {str(n.name) for n in client.networks.list(filters=filters)}
    return {str(c.name) for c in client.containers.list(all=True, filters=filters)} | volumes | networks


def inputs(mark: str = "fra-new") -> dict[str, Any]:
    return {"country": "FRA", "namespace": FRANCE.namespace, "mark": mark}


def test_orphans_are_shown_with_the_command_that_removes_them(left: docker.DockerClient) -> None:
    with pytest.raises(CheckFailed) as caught:
        preflight.owners(FRANCE, "fra-new", ("redis",))
    assert f"container {FRANCE.container('redis')} of stack fra-dead" in caught.value.found
    assert f"{REMOVE}=orphans/fra-dead pulumi up -s fra" in str(caught.value.remedy)
    before = names(left)
    assert PROVIDER.drift_reason(inputs()) is None
    PROVIDER.create_resource(inputs())
    assert names(left) == before, "nothing goes unnamed"


def test_named_orphans_go_and_data_only_if_the_loss_is_accepted(
    left: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(REMOVE, "orphans/fra-dead")
    assert DATA in str(PROVIDER.drift_reason(inputs()))
    PROVIDER.create_resource(inputs())
    assert names(left) == {DATA}
    assert f"data volume {DATA} is kept; to give its data up: {ACCEPT_LOSS}={DATA}" in capsys.readouterr().out
    monkeypatch.setenv(ACCEPT_LOSS, DATA)
    PROVIDER.create_resource(inputs())
    assert names(left) == set()
    assert preflight.owners(FRANCE, "fra-new", ("redis",))


def test_what_is_ours_is_kept(left: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REMOVE, "orphans/fra-dead")
    before = names(left)
    PROVIDER.create_resource(inputs(mark="fra-dead"))
    assert names(left) == before
