"""What is wrong is refused before anything is touched."""

import socket
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from dive_infra.config.environment import ASSUME_PLACE
from dive_infra.config.naming import SERVICES
from tests.coalition.country import Country
from tests.coalition.live import remains, running, told

pytestmark = pytest.mark.timeout(1500)


def test_a_spoke_without_a_coalition_document_says_where_it_would_come_from(fra: Country) -> None:
    run = fra.preview()
    assert not run.ok
    assert "the coalition document members/coalition.json cannot be read: No such file" in run.messages
    assert "Traceback" not in run.messages


def test_a_place_is_assumed_in_previews_without_keys_alone(
    tmp_path: Path, docker_engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ASSUME_PLACE, "yes")
    keyless = Country("DEU", tmp_path)
    keyless.create()
    seen = keyless.preview()
    assert seen.ok, told(seen)
    assert "preflight-checkpoint" in seen.changed("create")
    run = keyless.up()
    keyless.stack_file().unlink()
    assert not run.ok
    assert "has no ca-key, deployer-key, sealing-key, policy-key" in run.messages
    assert "next: ./dive new DEU" in run.messages
    assert not remains(docker_engine, "dive.country=DEU")


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


def test_a_port_held_by_another_program_is_reported_with_the_program(
    usa: Country, docker_engine: docker.DockerClient
) -> None:
    with socket.socket() as other:
        other.bind((usa.names.published, usa.names.port("keycloak")))
        other.listen()
        run = usa.up()
    assert not run.ok
    assert str(usa.names.port("keycloak")) in run.messages
    assert "python" in run.messages
    assert not running(docker_engine), "nothing was started"


def test_all_taken_ports_of_a_country_are_reported_at_once(usa: Country, docker_engine: docker.DockerClient) -> None:
    """Every port of the country is taken: all are reported at once, not one at a time."""
    services = [s for s in SERVICES if s != "opal-client"]
    with ExitStack() as taken:
        for service in services:
            other = taken.enter_context(socket.socket())
            other.bind((usa.names.published, usa.names.port(service)))
            other.listen()
        run = usa.up()
    assert not run.ok
    assert all(str(usa.names.port(service)) in run.messages for service in services), run.messages
    assert not running(docker_engine)


def test_a_second_checkout_does_not_take_over_what_another_deployed(
    usa: Country, docker_engine: docker.DockerClient
) -> None:
    """A volume of the country that another state owns: refused, and left as it is."""
    name = usa.names.data_volume("postgres")
    labels = usa.names.labels("postgres", "core") | {"dive.stack": "usa-of-another-checkout"}
    volume = docker_engine.volumes.create(name, labels=labels)
    try:
        run = usa.up()
        assert not run.ok
        assert "usa-of-another-checkout" in run.messages
        assert not running(docker_engine)
    finally:
        volume.remove()
