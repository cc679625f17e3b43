"""The provider of checkpoints, without servers."""

from dataclasses import replace
from typing import Any

import pytest

from dive_infra.checks.spec import PreflightSpec, dump
from dive_infra.dynamic.base import Provider, ProviderError
from dive_infra.dynamic.checkpoint import CheckpointProvider
from dive_infra.dynamic.orphans import OrphansProvider
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding, Verdict
from tests.unit.checks.specs import CONFIGURATION, FRANCE, KEY, SPECS


def _given(spec: str, phase: Phase = Phase.PREFLIGHT) -> dict[str, Any]:
    return {"phase": str(phase), "country": "FRA", "spec": spec, "store": None, "completed": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("key", "there", "here"), [("namespace", "t-unit", "other"), ("domain", "t-unit.localhost", "example.org")]
)
def test_preflight_refuses_to_rename_a_deployed_country_in_a_preview_too(key: str, there: str, here: str) -> None:
    spec = SPECS[0]
    assert isinstance(spec, PreflightSpec)
    renamed = replace(spec, names=replace(spec.names, **{key: here}))
    with pytest.raises(ProviderError) as refused:
        CheckpointProvider().diff("fra/PREFLIGHT", _given(dump(spec)), _given(dump(renamed)))
    assert str(refused.value).startswith(f"dive:{key} is {here}; expected {there}, as FRA is deployed. Next, one of:")


def test_a_declaration_that_cannot_be_read_refuses_nothing() -> None:
    spec = dump(SPECS[0])
    assert CheckpointProvider().diff("fra/PREFLIGHT", _given("{}"), _given(spec)).changes


def test_a_declaration_that_a_preview_does_not_know_yet_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CheckpointProvider, "has_drifted", lambda *_: False)
    before = _given(dump(SPECS[0]))
    now = {key: value for key, value in before.items() if key != "spec"}
    assert not CheckpointProvider().diff("fra/PREFLIGHT", before, now).changes


def test_no_resource_before_that_checkpoint_is_changed_by_another_namespace() -> None:
    before = {"country": "FRA", "namespace": "t-unit", "mark": "fra-1", "store": None}
    assert not OrphansProvider().diff("t-unit-fra", before, before | {"namespace": "other"}).changes


def test_the_reason_names_the_realm_whose_keys_are_recorded_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Provider, "run", RunContext())
    rotated = replace(CONFIGURATION, keys={**CONFIGURATION.keys, FRANCE.realm: (replace(KEY, kid="kid-2"),)})
    secrets = replace(CONFIGURATION, portal="another")
    first = replace(CONFIGURATION, keys={})
    other = f"other keys of realm {FRANCE.realm} are recorded"
    for before, now, why in (
        (CONFIGURATION, rotated, other),
        (CONFIGURATION, secrets, "its secrets or the program changed"),
        (first, CONFIGURATION, "its secrets or the program changed"),
    ):
        given = [_given(dump(spec), Phase.CONFIGURATION) for spec in (before, now)]
        assert CheckpointProvider().diff("fra/CONFIGURATION", *given).changes
        assert Provider.run.deployment.reason(Phase.CONFIGURATION) == why
        assert f"CONFIGURATION phase runs again: {why}" in capsys.readouterr().out


def test_a_diff_takes_what_the_probe_found_and_checks_the_keys_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Provider, "run", RunContext())
    found = Finding("realm client portal is as declared", Verdict.VALID, topic="realm objects")
    for keys, topics in (({}, ["realm objects"]), (CONFIGURATION.keys, ["realm objects", "realm keys"])):
        Provider.run.realm_findings[FRANCE.realm] = (found,)
        checks = CheckpointProvider().shallow_checks(replace(CONFIGURATION, keys=keys), {})
        assert [check.topic for check in checks] == topics
    assert Provider.run.realm_findings == {}
