"""docs/explanation/threat-model.md: each attack names the tests that carry it out, and each such test is named."""

import ast
import re

import pytest

from dive_infra.catalog.services import services
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from tests.coalition.attack import LINKED, REACHED
from tests.unit.test_healing_page import TESTS, exists

PAGE = (ROOT / "docs" / "explanation" / "threat-model.md").read_text()
NAMED = re.findall(r"`((?:unit|providers|integration)/[\w/]+\.py::\w+)`", PAGE)
OF_FRANCE = ("integration/test_5_attacks.py", "integration/test_5_burdens.py")
LAST = "_has_left_anything_behind"  # of each file: no attack


def attacks() -> list[str]:
    """Return the rows of the tables of attacks."""
    tables = PAGE.partition("\n## Attacks\n")[2].partition("\n## ")[0]
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.startswith("| attack |")]


@pytest.mark.parametrize("proof", dict.fromkeys(NAMED))
def test_each_test_that_is_named_exists(proof: str) -> None:
    assert exists(proof)


def test_each_attack_names_a_test() -> None:
    assert len(attacks()) > 25
    assert [row for row in attacks() if not re.search(r"`[\w/]+\.py::test_\w+`[^|]*\|$", row)] == []


@pytest.mark.parametrize("file", OF_FRANCE)
def test_each_attack_of_frances_operator_is_on_the_page(file: str) -> None:
    found = [node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    tests = {f"{file}::{name}" for name in found if name.startswith("test_") and not name.endswith(LAST)}
    assert tests
    assert tests <= {*NAMED}


def test_each_service_of_the_hub_is_attacked() -> None:
    hub = Names(HUB)
    specs = {spec.name: spec for spec in services(hub, hub, [Names(COUNTRIES["FRA"])], {})}
    assert REACHED.keys() == specs.keys(), "what a stranger may send to a service: tests/coalition/attack.py"
    assert {*LINKED} == {name for name, spec in specs.items() if spec.linked != "none"}
    databases = {name for name, reached in REACHED.items() if not reached.path}
    assert databases == {"postgres", "mongodb", "redis"}, "any other service takes bodies, and tokens"
    assert {name for name, reached in REACHED.items() if not reached.asked} == databases
