"""Country codes, zones and endpoints: a country speaks for its own names alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.config.countries import COUNTRIES, HUB, parse
from dive_infra.config.naming import Names
from dive_infra.membership.refusals import Malformed, OutsideZone, Source, UnknownMember
from dive_infra.membership.zone import checked_names, country_of, endpoints_of
from dive_infra.results.remedy import Remedy

SOURCE = Source("members/fra.json", Remedy.decide("get it again"))
FRA, ZONE = parse("FRA"), "fra.dive.localhost"
ENDPOINTS = endpoints_of(Names(FRA))


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("FR\N{CYRILLIC CAPITAL LETTER A}", r"'FR\u0410'"),
        ("FR\N{GREEK CAPITAL LETTER ALPHA}", r"'FR\u0391'"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER F}RA", r"'\uff26RA'"),
        ("FRA\N{ZERO WIDTH SPACE}", r"'FRA\u200b'"),
        ("fra", "'fra'"),
        ("FRA\n", r"'FRA\n'"),
        ("FRX", "'FRX'"),
        ("", "''"),
    ],
)
def test_a_look_alike_code_is_refused_and_its_letters_are_shown(code: str, shown: str) -> None:
    with pytest.raises(UnknownMember) as refused:
        country_of(code, SOURCE)
    assert str(refused.value).startswith(f"members/fra.json: country {shown} is not known: expected three capital")
    assert str(refused.value).endswith("; next: get it again")


@given(st.text(max_size=4))
def test_only_a_code_of_the_table_is_a_country(code: str) -> None:
    if code in COUNTRIES:
        assert country_of(code, SOURCE).code == code
    else:
        with pytest.raises(UnknownMember) as refused:
            country_of(code, SOURCE)
        assert str(refused.value).isascii()


PORTS = st.integers(1, 65535)


@given(
    st.sampled_from(sorted(COUNTRIES)),
    st.sampled_from(["dive", "other"]),
    st.sampled_from(["", "dive.localhost", "example.org"]),
    st.dictionaries(st.sampled_from(["keycloak", "frontend", "backend", "kas"]), PORTS),
)
def test_names_and_endpoints_are_two_forms_of_one_thing(
    code: str, namespace: str, domain: str, ports: dict[str, int]
) -> None:
    names = Names(parse(code), namespace, domain, {code: ports})
    endpoints = endpoints_of(names)
    found = checked_names(names.country, names.zone, endpoints, SOURCE, namespace)
    assert endpoints_of(found) == endpoints
    assert (found.country, found.namespace, found.zone) == (names.country, namespace, names.zone)
    assert found.issuer == names.issuer


def test_partners_use_the_hubs_policies_and_each_members_logins_data_and_keys() -> None:
    used = ["keycloak", "frontend", "backend", "kas"]
    assert [*endpoints_of(Names(FRA))] == used
    assert [*endpoints_of(Names(HUB))] == [*used, "opal-server"]


@pytest.mark.parametrize("service", ENDPOINTS)
def test_no_port_is_guessed_for_a_service_that_partners_use(service: str) -> None:
    endpoints = {name: url for name, url in ENDPOINTS.items() if name != service}
    with pytest.raises(Malformed) as refused:
        checked_names(FRA, ZONE, endpoints, SOURCE)
    assert str(refused.value) == (
        f"members/fra.json: FRA has no endpoint for {service}; expected keycloak, frontend, backend, kas; "
        "next: get it again"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.fra.dive.localhost:8453",
        "https://idp.fra.dive.localhost",
        "https://idp.fra.dive.localhost:",
        "https://idp.fra.dive.localhost:0",
        "https://idp.fra.dive.localhost:08453",
        "https://idp.fra.dive.localhost:65536",
        "https://idp.fra.dive.localhost:8453/",
        "https://idp.fra.dive.localhost:8453\n",
        "https://idp.fra.dive.localhost:٨453",
        "https://idp.fra.dive.localhost:8453@idp.usa.dive.localhost:8443",
        "https://idp.fra.dive.localhost:8453#.fra.dive.localhost:1",
        "https://user@idp.fra.dive.localhost:8453",
        "https://IDP.fra.dive.localhost:8453",
        "https://fra.dive.localhost:8453",
        "https://.fra.dive.localhost:8453",
        "https://api.fra.dive.localhost:8453",
        "https://a.idp.fra.dive.localhost:8453",
        "https://a..fra.dive.localhost:8453",
        "https://-a.fra.dive.localhost:8453",
        "https://idpfra.dive.localhost:8453",
        "https://idp.usa.dive.localhost:8443",
        "https://fra.dive.localhost.evil.example:8453",
        "https://idp.fr\N{CYRILLIC SMALL LETTER A}.dive.localhost:8453",
        "https://127.0.0.1:8453",
        "",
    ],
)
def test_an_endpoint_elsewhere_or_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(OutsideZone) as refused:
        checked_names(FRA, ZONE, ENDPOINTS | {"keycloak": url}, SOURCE)
    assert str(refused.value) == (
        f"members/fra.json: the endpoint keycloak of FRA is {url!a}; expected "
        "https://idp.fra.dive.localhost:<port>, without a path; next: get it again"
    )


@pytest.mark.parametrize("zone", ["usa.dive.localhost", "dive.localhost", "fraa.localhost", "idp.fra.dive.localhost"])
def test_a_zone_starts_with_the_countrys_code(zone: str) -> None:
    with pytest.raises(OutsideZone) as refused:
        checked_names(FRA, zone, ENDPOINTS, SOURCE)
    found = f"members/fra.json: the zone of FRA is {zone}"
    assert str(refused.value) == f"{found}; expected a zone such as fra.dive.localhost; next: get it again"
