"""Of two keys, the one counts that others know; the newest where they know neither."""

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.credentials import enrolled
from dive_infra.config.naming import Names
from dive_infra.membership.document import Member
from dive_infra.membership.enrolment import new_keys, request_of
from dive_infra.membership.key_rotation import counting, newest, rotating, used
from dive_infra.membership.request import Request
from tests.support import members

FRA = Names(COUNTRIES["FRA"])
OLD, NEW = members.private_keys("FRA"), new_keys(enrolled(False))
BOTH = {name: OLD[name] + NEW[name] for name in OLD} | {"redis": "a password"}
KEPT = {"redis": "a password"}


def member(keys: members.Keys) -> Member:
    return members.issue([FRA], {"FRA": keys}).members["FRA"]


def asked(keys: members.Keys) -> Request:
    return request_of(FRA, keys, members.ISSUED)


@pytest.mark.parametrize("known", [member, asked])
@pytest.mark.parametrize("keys", [OLD, NEW])
def test_those_count_that_are_known(known: object, keys: members.Keys) -> None:
    assert callable(known)
    assert counting(BOTH, known(keys)) == {**keys, **KEPT}


def test_the_newest_count_where_none_is_known() -> None:
    third = new_keys(enrolled(False))
    assert counting(BOTH, None) == counting(BOTH, asked(third)) == newest(BOTH) == {**NEW, **KEPT}
    assert counting(OLD, asked(third)) == OLD


@pytest.mark.parametrize("name", OLD)
def test_each_key_counts_by_itself(name: str) -> None:
    """A command that was killed between two keys leaves such a stack file, and such a request."""
    mixed = {**OLD, name: NEW[name]}
    assert counting(BOTH, asked(mixed)) == {**mixed, **KEPT}
    assert counting({**OLD, name: BOTH[name]}, asked(OLD)) == OLD


@pytest.mark.parametrize("keys", [OLD, NEW])
def test_a_country_signs_and_opens_with_both_and_has_one_ca_and_one_token(keys: members.Keys) -> None:
    alone = {name: keys[name] for name in ("ca-key", "policy-key")}
    assert used(BOTH, member(keys)) == {**BOTH, **alone}
    assert used(OLD, member(OLD)) == OLD


def test_a_rotation_is_under_way_while_one_key_has_a_successor() -> None:
    assert not rotating(OLD)
    assert rotating({**OLD, "sealing-key": BOTH["sealing-key"]})
