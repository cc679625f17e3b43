"""Drift that only a refresh sees."""

import pytest

from dive_infra.automation import drift
from dive_infra.checks.runner import Check
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy


@pytest.mark.parametrize(
    ("finding", "asks"),
    [
        (Finding("a client is as declared", Verdict.INVALID, remedy=Remedy.refresh("FRA")), True),
        (Finding("a mapper too many", Verdict.INVALID, remedy=Remedy.update()), False),
        (Finding("the partner's side", Verdict.INVALID, remedy=Remedy.refresh("DEU"), advisory=True), False),
        (Finding("Keycloak is away", Verdict.UNKNOWN, remedy=Remedy.refresh("FRA")), False),
    ],
    ids=["a refresh mends it", "any update mends it", "another stack mends it", "nobody knows"],
)
def test_up_refreshes_only_for_what_no_other_update_repairs(
    monkeypatch: pytest.MonkeyPatch, finding: Finding, asks: bool
) -> None:
    monkeypatch.setattr(drift, "declared_specs", lambda _: {Phase.CONFIGURATION: "a specification"})
    monkeypatch.setattr(drift, "checks", lambda _: [Check("realm", "realm", lambda: [finding])])
    assert bool(drift.refresh_only_drift({})) is asks
