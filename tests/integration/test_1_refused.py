"""What is wrong is refused before anything is touched."""

import socket

import docker
import pytest

from dive_infra.naming import LOOPBACK
from tests.integration.coalition import Country
from tests.integration.live import remains, running

pytestmark = pytest.mark.timeout(1500)


def test_a_spoke_without_its_hub_says_which_hub_it_misses(fra: Country) -> None:
    run = fra.preview()
    assert not run.ok
    assert "the hub (organization/dive/usa) is not deployed" in run.messages
    assert "Traceback" not in run.messages


def test_a_wrong_setting_stops_before_anything_is_touched(fra: Country, docker_engine: docker.DockerClient) -> None:
    run = fra.up(documents=7)
    assert not run.ok
    assert "dive:documents: found 7" in run.messages
    assert "Traceback" not in run.messages
    assert not remains(docker_engine)
    del fra.configuration["dive:documents"]


def test_a_missing_engine_is_named(usa: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    run = usa.up()
    assert not run.ok
    assert "no Docker engine answers at unix:///nowhere/docker.sock" in run.messages
    assert "Traceback" not in run.messages


def test_a_port_held_by_another_program_is_told_with_the_program(
    usa: Country, docker_engine: docker.DockerClient
) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, usa.names.port("keycloak")))
        other.listen()
        run = usa.up()
    assert not run.ok
    assert str(usa.names.port("keycloak")) in run.messages
    assert "python" in run.messages
    assert not running(docker_engine), "nothing was started"
