"""A request made of keys and names is one that the hub accepts."""

from dataclasses import replace

from dive_infra.config.countries import COUNTRIES, HUB_CODE
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.config.settings import flaw_of
from dive_infra.membership import request
from dive_infra.membership.enrolment import new_keys, request_of
from tests.support import members

FRA = Names(COUNTRIES["FRA"])


def test_new_keys_are_of_their_kind_and_never_twice_the_same() -> None:
    for is_hub in (True, False):
        wanted = enrolled(is_hub)
        one, other = new_keys(wanted), new_keys(wanted)
        assert [flaw_of(c, one[c.name]) for c in wanted] == [None] * len(wanted)
        assert not {*one.values()} & {*other.values()}
    assert "coalition-key" in members.private_keys(HUB_CODE).keys() - members.private_keys("FRA").keys()


def test_a_request_says_where_the_country_is_published() -> None:
    private = members.private_keys("FRA")
    assert request_of(replace(FRA, address="192.0.2.7"), private, members.ISSUED).address == "192.0.2.7"
    assert request_of(FRA, private, members.ISSUED).address == ""


def test_a_request_holds_public_halves_alone() -> None:
    private = members.private_keys("FRA")
    content = request.sign(request_of(FRA, private, members.ISSUED), private["deployer-key"])
    assert request.read(content, "fra.json").endpoints["keycloak"] == FRA.url("keycloak")
    assert "PRIVATE" not in content.decode()
    assert not [line for key in private.values() for line in key.splitlines()[1:-1] if line in content.decode()]
