"""What a country may change at the hub, and that the gateway holds it."""

import json
from typing import Any

import pytest

from dive_backend.links import _same
from dive_common.problems import HttpProblem
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity.link_policy import link_account, policy

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_a_countrys_policy_names_its_own_link_alone() -> None:
    countries = json.loads(policy(USA, [FRA, DEU]))["countries"]
    assert set(countries) == {link_account(FRA), link_account(DEU)}
    assert countries["dive-link-fra"]["provider"]["alias"] == "fra-idp"
    assert DEU.zone not in json.dumps(countries["dive-link-fra"])


@pytest.mark.parametrize(
    ("found", "agreed"),
    [
        ({"a": "true", "config": {"b": "x"}}, True),
        ({"a": True, "config": {"b": "x", "empty": "", "off": "false"}, "none": None, "id": "1"}, True),
        ({"a": True, "config": {"b": "y"}}, False),
        ({"a": True}, False),
        ({"a": True, "config": {"b": "x", "more": "1"}}, False),
        ({"a": True, "config": {"b": "x"}, "list": [{"c": "d"}]}, False),
    ],
)
def test_the_gateway_takes_the_agreed_object_and_no_other(found: dict[str, Any], agreed: bool) -> None:
    wanted = {"a": True, "config": {"b": "x"}}
    if agreed:
        _same("object", wanted, found)
        return
    with pytest.raises(HttpProblem, match="differs from what was agreed") as refused:
        _same("object", wanted, found)
    assert refused.value.status == 403
