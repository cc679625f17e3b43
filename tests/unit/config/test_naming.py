"""Names and ports are unique over all countries, so that any two can share an engine."""

import json
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.config.countries import COUNTRIES, HUB, UnknownCountry, parse
from dive_infra.config.naming import SERVICES, Names, between_countries, default_port, linked_by, signable

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
    assert (fra.realm, fra.idp_alias) == ("dive-v3-broker-fra", "fra-idp")


def test_a_link_has_one_network_whose_name_says_of_whom() -> None:
    usa, fra, deu = (Names(parse(code)) for code in ("USA", "FRA", "DEU"))
    assert fra.link_network(usa) == usa.link_network(fra) == "dive-link-fra-usa"
    assert linked_by(fra.link_network(deu), "dive") == ("DEU", "FRA")
    for other in (fra.network, fra.retired_network, "dive-link-fra", "dive-link-fra-usa-2", "other-link-fra-usa"):
        assert linked_by(other, "dive") == ()
    found = [between_countries(n, "dive") for n in ("dive-link-fra-usa", "dive-shared", "dive-fra", "t-shared")]
    assert found == [True, True, False, False]


def test_a_single_port_can_be_overridden_and_a_partner_keeps_its_own() -> None:
    fra = Names(parse("FRA"), ports={"FRA": {"keycloak": 9443}})
    assert fra.issuer == "https://idp.fra.dive.localhost:9443/realms/dive-v3-broker-fra"
    assert fra.of(HUB).port("keycloak") == 8443


@pytest.mark.parametrize(
    "code", ["fra", "FRA\n", "FR", "FRAU", "", "ФРА", "FR4", "XXX", "fra'; DROP TABLE x", "../usa"]
)
def test_a_code_that_is_not_in_the_table_is_refused(code: str) -> None:
    with pytest.raises(UnknownCountry, match="is not known") as refused:
        parse(code)
    assert str(refused.value).isascii(), "look-alike letters are shown as escapes"


@pytest.mark.parametrize(
    "names",
    [
        Names(HUB),
        Names(parse("FRA"), "other", "example.org", {"FRA": {"keycloak": 9443}, "USA": {"kas": 9001}}),
        Names(parse("FRA"), domain="example.org", address="192.0.2.7"),
    ],
)
def test_names_survive_as_plain_data_whose_numbers_became_floats(names: Names) -> None:
    plain = json.loads(json.dumps(names.plain()), parse_int=float)
    assert Names.of_plain({**plain, "more": 1}) == names


def test_names_on_loopback_are_the_plain_data_of_an_earlier_version() -> None:
    assert Names(HUB).plain() == {"country": "USA", "namespace": "dive", "domain": "", "ports": {}}


def test_names_need_neither_domain_nor_ports_of_plain_data() -> None:
    assert Names.of_plain({"country": "FRA", "namespace": "dive"}) == Names(parse("FRA"))


def test_a_country_owns_what_carries_its_namespace_and_its_code() -> None:
    fra = Names(parse("FRA"))
    assert fra.owns({**fra.labels("opa", "core"), "more": "x"})
    for other in (Names(HUB), Names(parse("FRA"), "other")):
        assert not fra.owns(other.labels("opa", "core"))
    assert not fra.owns({})


def test_containers_find_a_partner_at_another_address_without_a_resolver() -> None:
    usa, fra = Names(HUB), Names(parse("FRA"))
    there = replace(fra, address="192.0.2.7")
    told = {fra.host("keycloak"): "192.0.2.7", fra.host("backend"): "192.0.2.7"}
    assert usa.hosts_of(there, "keycloak", "backend") == told
    for own, partner in ((usa, fra), (replace(usa, address="192.0.2.7"), there), (there, usa)):
        assert own.hosts_of(partner, "keycloak") == {}
        assert own.realm_of(partner) == partner.issuer
    assert usa.realm_of(there) == f"https://192.0.2.7:{fra.port('keycloak')}/realms/{fra.realm}"
    assert [usa.beside(fra), usa.beside(there)] == [True, False]


@pytest.mark.parametrize("domain", ["", "localhost", "example.org"])
@pytest.mark.parametrize(("address", "published"), [("", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")])
def test_a_certificate_names_the_host_and_the_address_only_where_clients_connect_to_it(
    domain: str, address: str, published: str
) -> None:
    fra = Names(parse("FRA"), domain=domain, address=address)
    by_address = {service for service in SERVICES if [*fra.certified(service)] == [fra.host(service), published]}
    assert by_address == {"postgres", "mongodb", "redis", "keycloak"}
    assert all([*fra.certified(service)] == [fra.host(service)] for service in {*SERVICES} - by_address)
    assert signable(fra.zone, fra.address) == (fra.zone, f"{published}/32")
