"""Names and ports are unique over all countries, so that any two can share an engine."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.config.countries import COUNTRIES, HUB, UnknownCountry, parse
from dive_infra.config.naming import SERVICES, Names, default_port

namespaces = st.from_regex(r"[a-z][a-z0-9]{1,15}", fullmatch=True)


def test_every_country_of_the_alliance_is_in_the_table() -> None:
    assert len(COUNTRIES) == 32 + 6 + 15
    assert len({c.offset for c in COUNTRIES.values()}) == len(COUNTRIES)


@given(namespaces)
def test_no_two_services_of_a_coalition_share_a_port(namespace: str) -> None:
    ports = [default_port(s, c, namespace) for s, c in product(SERVICES, COUNTRIES.values())]
    assert len(set(ports)) == len(ports)
    assert all(1024 <= port < 32768 for port in ports), "below the ports that systems give away"


@given(namespaces.filter(lambda n: n != "dive"))
def test_another_namespace_has_other_ports(namespace: str) -> None:
    ours = {default_port(s, c) for s, c in product(SERVICES, [HUB, parse("FRA")])}
    theirs = {default_port(s, c, namespace) for s, c in product(SERVICES, COUNTRIES.values())}
    assert not ours & theirs


def test_the_well_known_ports_of_the_hub_and_france() -> None:
    usa, fra = Names(HUB), Names(parse("FRA"))
    assert usa.url("keycloak") == "https://idp.usa.dive.localhost:8443"
    assert fra.url("keycloak") == "https://idp.fra.dive.localhost:8453"
    assert fra.url("frontend") == "https://portal.fra.dive.localhost:3010"
    assert fra.container("postgres") == "dive-fra-postgres"
    assert (fra.realm, fra.idp_alias, fra.shared_network) == ("dive-v3-broker-fra", "fra-idp", "dive-shared")


def test_a_single_port_can_be_overridden_and_a_partner_keeps_its_own() -> None:
    fra = Names(parse("FRA"), ports={"FRA": {"keycloak": 9443}})
    assert fra.issuer == "https://idp.fra.dive.localhost:9443/realms/dive-v3-broker-fra"
    assert fra.of(HUB).port("keycloak") == 8443


@pytest.mark.parametrize(
    "code", ["fra", "FRA\n", "FR", "FRAU", "", "ФРА", "FR4", "XXX", "fra'; DROP TABLE x", "../usa"]
)
def test_a_code_that_is_not_in_the_table_is_refused(code: str) -> None:
    with pytest.raises(UnknownCountry, match="is not known"):
        parse(code)
