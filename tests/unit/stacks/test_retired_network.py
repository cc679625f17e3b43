"""When the network of the previous release is still needed."""

from unittest.mock import Mock

import pytest

from dive_infra import engines
from dive_infra.engines.engine import EngineError, EngineObject
from dive_infra.stacks import retired_network
from tests.unit.checks.specs import FRANCE, USA


def test_it_stays_while_others_than_the_hub_are_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = EngineObject("container", USA.container("keycloak"), USA.labels("keycloak", "core"))
    spoke = EngineObject("container", FRANCE.container("keycloak"), FRANCE.labels("keycloak", "core"))
    stranger = EngineObject("container", "stranger", {})
    attached: dict[str, list[EngineObject]] = {}
    monkeypatch.setattr(engines, "connect", lambda _: Mock(attached=lambda name: attached.get(name, [])))
    for users, needed in (([], False), ([hub], False), ([hub, spoke], True), ([stranger], True)):
        attached[USA.retired_network] = users
        assert retired_network.in_use(USA) == ((USA.retired_network,) if needed else ())
    assert retired_network.in_use(FRANCE) == (), "no spoke has declared it"


def test_an_engine_that_does_not_answer_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_seconds: int) -> None:
        raise EngineError("the engine did not answer")

    monkeypatch.setattr(engines, "connect", refused)
    assert retired_network.in_use(USA) == ()
