"""How a container that Docker describes differs from its declaration; the other rows are tested on an engine."""

from copy import deepcopy
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra.catalog.spec import HealthCheck
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker.differences import differences
from dive_infra.engines.docker.units import NANOSECONDS, RESTART

IMAGE = "sha256:of-this-test"
DECLARED = Declared(
    "dive-fra-keycloak",
    "1000:1000",
    HealthCheck(("true",), interval=30),
    image=IMAGE,
    command=("start",),
    memory=2**20,
    cpus=1,
    processes=64,
    ports=(8453,),
    networks={"dive-fra": ("idp.fra", "keycloak")},
    labels={"dive.country": "FRA"},
)
# As Docker describes the container that is declared.
LIVE: dict[str, Any] = {
    "Image": IMAGE,
    "Name": "/dive-fra-keycloak",
    "Mounts": [],
    "NetworkSettings": {"Networks": {"dive-fra": {"Aliases": ["idp.fra", "keycloak", "0123456789ab"]}}},
    "Config": {
        "User": "1000:1000",
        "Hostname": "dive-fra-keycloak",
        "Entrypoint": None,
        "Cmd": ["start"],
        "Env": [],
        "Labels": {"dive.country": "FRA"},
        "Healthcheck": {
            "Test": ["CMD", "true"],
            "Interval": 30 * NANOSECONDS,
            "Timeout": 5 * NANOSECONDS,
            "StartPeriod": 60 * NANOSECONDS,
            "Retries": 3,
        },
    },
    "HostConfig": {
        "ReadonlyRootfs": True,
        "Tmpfs": None,
        "PortBindings": {"8453/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8453"}]},
        "ExtraHosts": None,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": None,
        "SecurityOpt": ["no-new-privileges:true"],
        "Devices": [],
        "PidMode": "",
        "NetworkMode": "bridge",
        "Memory": 2**20,
        "MemorySwap": 2**20,
        "NanoCpus": NANOSECONDS,
        "PidsLimit": 64,
        "RestartPolicy": {"Name": RESTART},
    },
}


def found(declared: Declared, **host_config: Any) -> list[str]:
    client = Mock()
    client.images.get.return_value.attrs = {"Config": {"Entrypoint": None, "Cmd": None, "Env": None, "Volumes": None}}
    live = deepcopy(LIVE)
    live["HostConfig"] |= host_config
    return [str(difference) for difference in differences(client, live, declared)]


def test_the_declared_container_does_not_differ() -> None:
    assert found(DECLARED) == []
    assert found(DECLARED, ExtraHosts=[]) == []


@pytest.mark.parametrize("address", ["192.0.2.7", "127.0.0.2"])
def test_ports_are_published_at_the_declared_address(address: str) -> None:
    there = replace(DECLARED, address=address)
    assert found(there, PortBindings={"8453/tcp": [{"HostIp": address, "HostPort": "8453"}]}) == []
    assert found(there) == [f"published ports: 127.0.0.1:8453->8453/tcp, declared is {address}:8453->8453/tcp"]


def test_a_container_knows_the_hosts_of_partners_elsewhere_and_no_others() -> None:
    both = {"idp.usa": "192.0.2.1", "idp.deu": "192.0.2.9"}
    listed = [f"{host}:{address}" for host, address in both.items()]
    assert found(replace(DECLARED, hosts=both), ExtraHosts=listed) == []
    assert found(replace(DECLARED, hosts=both)) == ["hosts: none, declared is idp.deu:192.0.2.9 idp.usa:192.0.2.1"]
    assert found(DECLARED, ExtraHosts=listed[:1]) == ["hosts: idp.usa:192.0.2.1, declared is none"]
