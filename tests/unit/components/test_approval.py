"""What hub and spoke must agree on before the spoke changes anything."""

from dataclasses import replace

import pytest

from dive_infra.components.approval import Grant, disagreement
from dive_infra.components.certificates import IssuedBy
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names

FRA = Names(COUNTRIES["FRA"])
URLS = {service: FRA.of(HUB).url(service) for service in ("keycloak", "backend", "frontend", "kas", "opa")}
MOVED = replace(FRA, ports={"FRA": {"keycloak": 4711}})


@pytest.mark.parametrize(
    ("names", "expected", "urls"),
    [
        (FRA, FRA.url("keycloak"), URLS),
        (MOVED, MOVED.url("keycloak"), URLS),
        (replace(FRA, ports={"FRA": {"frontend": 4711}}), FRA.url("keycloak"), URLS),
        (FRA, None, {}),
    ],
    ids=["as computed", "the hub knows the port", "a port that the hub does not need", "a hub of an earlier program"],
)
def test_agreed_addresses_pass(names: Names, expected: str | None, urls: dict[str, str]) -> None:
    assert disagreement(names, expected, urls) is None


def test_a_port_that_the_hub_does_not_know_is_refused_with_both_values_and_the_way() -> None:
    found = disagreement(MOVED, FRA.url("keycloak"), URLS)
    assert found
    cause, way = found
    assert (
        cause == f"keycloak of FRA would be at {MOVED.url('keycloak')}, and the hub expects it at {FRA.url('keycloak')}"
    )
    assert "dive:partnerPorts.FRA there, `pulumi up -s usa`" in way


def test_a_port_of_the_hub_that_the_spoke_does_not_know_is_refused_with_both_values_and_the_way() -> None:
    moved = "https://portal.usa.dive.localhost:4711"
    found = disagreement(FRA, FRA.url("keycloak"), {**URLS, "frontend": moved})
    assert found
    cause, way = found
    assert cause == f"frontend of the hub is at {moved}, and FRA expects it at {URLS['frontend']}"
    assert "dive:partnerPorts.USA.frontend" in way


def test_a_grant_exports_the_key_of_the_hubs_policies() -> None:
    assert Grant("CA", IssuedBy("chain", "key"), {}, hub_key="PEM").export()["hubKey"] == "PEM"
