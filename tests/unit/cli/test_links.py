"""Which links of a country are not proven yet."""

from types import SimpleNamespace

import pytest

from dive_infra.automation.stack_state import StackState
from dive_infra.cli import links
from dive_infra.orchestration.access import Unreachable
from dive_infra.orchestration.overview import Link
from tests.unit.checks.specs import ACCESS

PROVEN = Link("FRA", "USA", "fra-idp", "ACTIVE", "", 0.5, 3.0)
PENDING = Link("GBR", "FRA", "gbr-idp", "PENDING", "GBR does not answer", None, None)


def test_a_link_is_pending_until_a_login_over_it_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "read_overview", lambda *_: SimpleNamespace(links=(PROVEN, PENDING)))
    assert links.pending(StackState("fra", 180, None, store=ACCESS)) == ["GBR"]
    assert links.pending(StackState("fra", 3, None)) == [], "nothing is known before its record exists"


def test_a_record_that_does_not_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("the orchestration database does not answer")

    monkeypatch.setattr(links, "read_overview", silent)
    with pytest.raises(Unreachable):
        links.pending(StackState("fra", 180, None, store=ACCESS))
