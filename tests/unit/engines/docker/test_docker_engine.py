"""What the Docker engine answers about networks whose containers come and go."""

from unittest.mock import Mock

from docker.errors import NotFound

from dive_infra.engines.docker.docker_engine import DockerEngine


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
