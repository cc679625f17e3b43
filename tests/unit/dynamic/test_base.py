"""The engine that the provider process works with, from the configuration that Pulumi gives to each provider."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2

from dive_infra import engines
from dive_infra.config import environment
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.dynamic.data_volume import CopiesVolumeProvider
from dive_infra.dynamic.probe import ProbeProvider
from dive_infra.engines import selection
from tests.unit.dynamic.runtime.test_patches import provider_process


@pytest.fixture(autouse=True)
def nothing_selected() -> Iterator[None]:
    yield
    engines.select(EngineSelection())


def configured(given: dict[str, Any]) -> EngineSelection:
    ProbeProvider().configure(ConfigureRequest(Config(given, "project")))
    return selection.selected()


def test_it_is_that_of_the_stack() -> None:
    given = {"dive:country": "FRA", "dive:engine": "tcp://host:2376", "dive:engineCertificates": "engine"}
    assert configured(given) == EngineSelection("tcp://host:2376", "engine")


@pytest.mark.parametrize("given", [{}, {"dive:engine": "", "dive:engineCertificates": ""}], ids=["none", "defaults"])
def test_without_the_setting_it_is_the_machines(given: dict[str, Any]) -> None:
    engines.select(EngineSelection("ssh://host"))
    assert configured(given) == EngineSelection()


def test_a_preview_from_the_state_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.NO_ENGINE, "yes")
    assert configured({"dive:engine": "ssh://host"}) == EngineSelection()


def test_pulumis_server_hands_it_the_keys_with_their_namespace() -> None:
    with provider_process(DOCKER_HOST="unix:///nowhere/machine.sock") as (_, client, _engine):
        given = provider_pb2.ConfigureRequest()
        given.args.update({"dive:country": "FRA", "dive:engine": "unix:///nowhere/named.sock"})
        client.Configure(given, timeout=30)
        request = provider_pb2.DeleteRequest(id="copies")
        request.properties.update({"__provider": serialize_provider(CopiesVolumeProvider()), "volume": "v"})
        with pytest.raises(grpc.RpcError) as failed:
            client.Delete(request, timeout=30)
    told = str(failed.value.details())  # type: ignore[attr-defined]
    assert told.startswith("no Docker engine answers at unix:///nowhere/named.sock (dive:engine): ")
