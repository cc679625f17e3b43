"""What the Docker engine answers about what comes and goes, and the commands that it gives to operators."""

from datetime import UTC
from unittest.mock import Mock

import pytest
from docker.errors import NotFound

from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import ContainerFailed, PublishedPort


def test_an_endpoint_whose_container_is_gone_is_no_user_of_the_network() -> None:
    kas = Mock(labels={"dive.country": "FRA"})
    kas.name = "kas"

    def get(id_: str) -> Mock:
        if id_.startswith("ep-"):
            raise NotFound("No such container")
        return kas

    client = Mock()
    client.networks.get.return_value.attrs = {"Containers": {"ep-1fe641": {}, "c1": {}}}
    client.containers.get.side_effect = get
    assert [user.name for user in DockerEngine(client).network_users("n1")] == ["kas"]
    client.networks.get.return_value.attrs = {"Containers": None}
    assert DockerEngine(client).network_users("n1") == []


def test_a_container_publishes_its_ports_at_addresses() -> None:
    listed = [
        {"IP": "192.0.2.7", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 443, "Type": "tcp"},
    ]
    client = Mock()
    client.api.containers.return_value = [
        {"Names": ["/one"], "Labels": None, "Ports": listed},
        {"Names": ["/none"], "Labels": None, "Ports": None},
    ]
    assert [(c.name, c.ports) for c in DockerEngine(client).containers()] == [
        ("one", (PublishedPort("192.0.2.7", 8080), PublishedPort("::", 8080))),
        ("none", ()),
    ]


def test_a_command_on_the_volumes_of_a_container_starts_it_again_after_any_outcome() -> None:
    client = Mock()
    client.containers.get.return_value.attrs = {"Image": "sha256:1", "Config": {"User": "999:999"}}
    assert DockerEngine(client).offline_command("p", "echo '$x'") == (
        "docker stop p && docker run --rm --network none --volumes-from p --user 999:999 --entrypoint sh sha256:1 "
        """-c 'echo '"'"'$x'"'"''; docker start p"""
    )
    client.containers.get.side_effect = NotFound("No such container")
    with pytest.raises(ContainerFailed, match="p does not exist"):
        DockerEngine(client).offline_command("p", "true")


def test_commands_for_operators_name_the_engine() -> None:
    engine = DockerEngine(Mock(), "docker -H ssh://host")
    assert engine.command_in("p", "true", piped=True) == "docker -H ssh://host exec -i p sh -c true"
    assert engine.removal_command("volume", "v") == "docker -H ssh://host volume rm v"
    assert engine.disconnect_command("n", "p") == "docker -H ssh://host network disconnect n p"
    assert engine.volume_command("v", {"a": "b"}) == "docker -H ssh://host volume create --label a=b v"
    assert engine.pruning_command() == "docker -H ssh://host network prune"
    engine._client.containers.get.return_value.attrs = {"Image": "i", "Config": {"User": "u"}}  # type: ignore[attr-defined]
    assert engine.offline_command("p", "true").count("docker -H ssh://host ") == 3
    assert DockerEngine(Mock()).removal_command("container", "p", force=True) == "docker container rm -f p"


def test_the_age_of_a_container_is_known_or_none() -> None:
    client = Mock()
    client.containers.get.return_value.attrs = {"Created": "2026-11-24T12:00:05.123456789Z"}
    age = DockerEngine(client).created("p")
    assert age
    assert str(age.astimezone(UTC))[:19] == "2026-11-24 12:00:05"
    client.containers.get.side_effect = NotFound("No such container")
    assert DockerEngine(client).created("p") is None


def test_a_command_in_a_container_prints_or_the_error_names_both() -> None:
    client = Mock()
    run = client.containers.get.return_value.exec_run
    run.return_value = (0, (b'{"opa": true}\n', b"a warning"))
    assert DockerEngine(client).output("kas", ("python", "-c", "")) == '{"opa": true}'
    run.side_effect = [(0, (None, None)), (0, (b"PONG", None))]
    assert DockerEngine(client).output("redis", ("redis-cli", "ping")) == "PONG", "the engine lost the first answer"
    run.side_effect = None
    run.return_value = (0, (b"", None))
    with pytest.raises(ContainerFailed, match="redis-cli in redis printed nothing"):
        DockerEngine(client).output("redis", ("redis-cli", "ping"))
    run.return_value = (127, (None, b"python: not found\n"))
    with pytest.raises(ContainerFailed, match="python in kas: exit code 127: python: not found"):
        DockerEngine(client).output("kas", ("python", "-c", ""))
    client.containers.get.side_effect = NotFound("No such container")
    with pytest.raises(ContainerFailed, match="kas does not exist"):
        DockerEngine(client).output("kas", ("python", "-c", ""))
