"""The names of a deployed country, which its settings may not change."""

from dataclasses import replace

import pytest

from dive_infra.checks import deployed_names
from dive_infra.checks.runner import CheckFailed
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.results.codes import Code

PLAIN = Names(COUNTRIES["FRA"])
OWN = replace(PLAIN, domain="example.org")
BACK_AND_FORTH = "to give up its data and deploy it as {}: ./dive nuke FRA, then: pulumi up -s fra"


@pytest.mark.parametrize(
    ("deployed", "wanted", "found", "expected", "back"),
    [
        (PLAIN, replace(PLAIN, namespace="two"), "dive:namespace is two", "dive", "set dive:namespace dive"),
        (PLAIN, OWN, "dive:domain is example.org", "dive.localhost", "rm dive:domain"),
        (OWN, PLAIN, "dive:domain is dive.localhost", "example.org", "set dive:domain example.org"),
    ],
    ids=["namespace", "a domain is set", "a domain is unset"],
)
def test_another_value_is_refused_with_both_and_the_ways(
    deployed: Names, wanted: Names, found: str, expected: str, back: str
) -> None:
    with pytest.raises(CheckFailed) as refused:
        deployed_names.keep(deployed, wanted)
    assert (refused.value.found, refused.value.code) == (found, Code.SETTING)
    assert refused.value.expected == f"{expected}, as FRA is deployed"
    assert refused.value.remedy.choices == [
        f"pulumi config {back} -s fra, then: pulumi up -s fra",
        BACK_AND_FORTH.format(found.rpartition(" ")[2]),
    ]


@pytest.mark.parametrize(
    "wanted",
    [PLAIN, replace(PLAIN, domain="dive.localhost"), replace(PLAIN, ports={"FRA": {"kas": 4711}})],
    ids=["nothing", "the domain by name", "a port"],
)
def test_other_settings_may_change(wanted: Names) -> None:
    deployed_names.keep(PLAIN, wanted)
