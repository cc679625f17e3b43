"""Who uses a hub that is to be destroyed."""

from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra import engines
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.guard import GuardProvider
from dive_infra.engines.engine import EngineObject
from tests.unit.checks.specs import FRANCE, USA

USERS = {
    USA.link_network(FRANCE): [
        EngineObject("container", names.container("keycloak"), names.labels("keycloak", "core"))
        for names in (USA, FRANCE)
    ],
    "t-unit-link-deu-usa": [EngineObject("container", USA.container("keycloak"), USA.labels("keycloak", "core"))],
}
USERS[USA.retired_network] = USERS[USA.link_network(FRANCE)]


@pytest.mark.parametrize(
    ("network", "users"),
    [
        pytest.param([*USERS][:2], "FRA", id="a spoke is on the network of its link"),
        pytest.param(USA.retired_network, "FRA", id="a state of the previous release"),
        pytest.param(["t-unit-link-deu-usa"], "", id="the hub alone"),
        pytest.param([], "", id="a hub without spokes"),
        pytest.param(None, "", id="a spoke"),
    ],
)
def test_a_hub_is_in_use_while_others_are_on_the_networks_of_its_links(
    monkeypatch: pytest.MonkeyPatch, network: Any, users: str
) -> None:
    monkeypatch.setattr(engines, "connect", lambda: Mock(attached=USERS.__getitem__))
    before = {"country": "USA", "protected": [], "network": network}
    if not users:
        GuardProvider().delete_resource(before)
        return
    with pytest.raises(ProviderError, match="the hub is still in use by FRA") as refused:
        GuardProvider().delete_resource(before)
    assert str(refused.value.remedy) == "pulumi destroy -s fra"
