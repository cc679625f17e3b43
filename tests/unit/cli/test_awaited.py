"""What a country waits for: links that are not proven yet, and policies of its hub."""

from types import SimpleNamespace

import pytest

from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.checks import policy_engine
from dive_infra.checks.partners import Pending
from dive_infra.cli import awaited
from dive_infra.orchestration.access import Unreachable
from dive_infra.orchestration.overview import Link
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import Remedy
from tests.unit.checks.specs import ACCESS, DEPLOYMENT

PROVEN = Link("FRA", "USA", "fra-idp", "ACTIVE", "", 0.5, 3.0)
PENDING = Link("GBR", "FRA", "gbr-idp", "PENDING", "GBR does not answer", None, None)


def test_a_link_is_pending_until_a_login_over_it_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaited, "read_overview", lambda *_: SimpleNamespace(links=(PROVEN, PENDING)))
    assert awaited.links(StackState("fra", 180, None, store=ACCESS)) == ["GBR"]
    assert awaited.links(StackState("fra", 3, None)) == [], "nothing is known before its record exists"


def test_a_record_that_does_not_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("the orchestration database does not answer")

    monkeypatch.setattr(awaited, "read_overview", silent)
    with pytest.raises(Unreachable):
        awaited.links(StackState("fra", 180, None, store=ACCESS))


@pytest.mark.parametrize(
    "pending", [None, Pending("FRA permits nothing yet", Remedy.update(detail="once USA answers"))]
)
def test_whether_a_country_has_policies_of_its_hub_is_asked_of_what_it_declared(
    pending: Pending | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(policy_engine, "awaited", lambda spec: asked.append(spec) or pending)
    declared = {Phase.DEPLOYMENT: CheckpointState(Phase.DEPLOYMENT, "", "", DEPLOYMENT)}
    assert awaited.policies(StackState("fra", 180, None, declared)) is pending
    assert asked == [DEPLOYMENT]
    assert awaited.policies(StackState("fra", 3, None)) is None, "nothing is declared yet"
