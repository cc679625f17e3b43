"""From nothing to a hub that approves its spokes."""

from pathlib import Path

import pytest

from tests.coalition.country import Country
from tests.coalition.live import OUTPUTS, told

pytestmark = pytest.mark.timeout(1500)


def test_the_hub_comes_up_from_nothing(usa: Country) -> None:
    run = usa.up()
    assert run.ok, told(run)
    found = usa.outputs()
    assert found.keys() == OUTPUTS | {"coalition", "coalition_key"}
    assert found["urls"].keys() == {"frontend", "backend", "keycloak", "kas", "opa"}
    assert len(found["containers"]) == 9
    assert len(found["test_users"]) == 6


def test_a_country_that_the_hub_does_not_approve_is_refused(usa: Country, home: Path) -> None:
    deu = Country("DEU", home)
    deu.init()
    run = deu.up()
    deu.stack_file().unlink()
    assert not run.ok
    assert "has no entry for DEU; expected one of FRA, USA" in run.messages
    assert "dive:spokes" in run.messages
