"""The address ranges that Docker has for new networks."""

from typing import Any

import pytest

from dive_infra.engines.docker.networks import free_ranges

SMALL = {"DefaultAddressPools": [{"Base": "10.9.0.0/22", "Size": 24}, {"Base": "fd00::/48", "Size": 64}]}
DEFAULT = [f"172.{n}.0.0/16" for n in range(17, 32)] + [f"192.168.{n}.0/20" for n in range(0, 256, 16)]


def using(*subnets: str, scope: str = "local") -> list[dict[str, Any]]:
    return [{"Name": s, "Scope": scope, "IPAM": {"Config": [{"Subnet": s}]}} for s in subnets]


NO_RANGE = [{"Name": "host", "Scope": "local", "IPAM": {"Config": None}}, {"Name": "none", "Scope": "local"}]


@pytest.mark.parametrize(
    ("info", "networks", "free"),
    [
        pytest.param(SMALL, NO_RANGE, 4, id="an empty pool"),
        pytest.param(SMALL, using("10.9.1.0/24", "fd00:0:0:1::/64"), 3, id="one range is used"),
        pytest.param(SMALL, using("10.9.1.128/25"), 3, id="a part of a range is used"),
        pytest.param(SMALL, using("10.8.0.0/15"), 0, id="a larger network covers the pool"),
        pytest.param(SMALL, using(*(f"10.9.{n}.0/24" for n in range(4))), 0, id="used up"),
        pytest.param(SMALL, using("10.9.1.0/24", scope="swarm"), 4, id="a swarm has pools of its own"),
        pytest.param({}, using(*DEFAULT), 0, id="the pools of an engine that is not configured are used up"),
        pytest.param({"DefaultAddressPools": None}, using(*DEFAULT[1:]), 1, id="the last one of them is free"),
        pytest.param({}, [], 9, id="no more are counted than asked for"),
        pytest.param({"DefaultAddressPools": [{"Base": "?", "Size": 24}]}, [], None, id="not understood"),
        pytest.param({"DefaultAddressPools": [{"Base": "10.9.0.0/24", "Size": 16}]}, [], None, id="impossible"),
    ],
)
def test_free_ranges_are_those_of_the_pools_that_no_network_overlaps(
    info: dict[str, Any], networks: list[dict[str, Any]], free: int | None
) -> None:
    assert free_ranges(info, networks, 9) == free
