"""The provider of checkpoints, without servers."""

from dataclasses import replace
from typing import Any

import pytest

from dive_infra.checks.runner import CheckFailed, Validation
from dive_infra.checks.spec import PreflightSpec, dump, fingerprint
from dive_infra.dynamic import checkpoint
from dive_infra.dynamic.base import Provider, ProviderError
from dive_infra.dynamic.checkpoint import CheckpointProvider
from dive_infra.dynamic.orphans import OrphansProvider
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.orchestration.records import PhaseRecord, Proof
from dive_infra.orchestration.states import Phase, Status
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


EARLY = Proof(Phase.PREFLIGHT, "f" * 16, "ports", "2026-01-01T00:00:00.000+00:00", 0.5, "run-1").plain()


class Record:
    """What the record says of the phases, and what is written into it."""

    access = None

    def __init__(self, **steps: PhaseRecord) -> None:
        self.steps = steps
        self.written: list[Proof] = []

    def step(self, _country: str, phase: Phase) -> PhaseRecord | None:
        return self.steps.get(phase)

    def hold(self, *_: object) -> None: ...

    def complete(self, _country: str, *proofs: Proof) -> None:
        self.written += proofs

    def measure(self, *_: object, **__: object) -> None: ...


def _step(fingerprint: str, status: Status = Status.COMPLETED, run: str = "run-1") -> PhaseRecord:
    return PhaseRecord(Phase.PREFLIGHT, status, fingerprint, None, "ports", run, 0)


def _recording(monkeypatch: pytest.MonkeyPatch, **steps: PhaseRecord) -> Record:
    there = Record(**steps)
    monkeypatch.setattr(checkpoint, "session", lambda _: there)
    monkeypatch.setattr(checkpoint, "access_of", lambda store: store)
    monkeypatch.setattr(CheckpointProvider, "prove", lambda *_: Validation((Finding("it is so", Verdict.VALID),), 0.1))
    return there


def test_a_phase_that_is_proven_again_has_its_new_proof_recorded_with_deployment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Provider, "run", RunContext())
    spec = SPECS[2]
    there = _recording(monkeypatch, PREFLIGHT=_step("f" * 16), DEPLOYMENT=_step(fingerprint(spec)))
    again = {**EARLY, "run_id": "run-2", "proven_at": "2026-01-02T00:00:00.000+00:00"}
    before, now = (
        {**_given(dump(spec), Phase.DEPLOYMENT), "store": {"host": "x"}, "earlier": [proof]} for proof in (EARLY, again)
    )
    assert CheckpointProvider().diff("fra/DEPLOYMENT", before, now).changes
    assert "DEPLOYMENT phase runs again: changed: earlier" in capsys.readouterr().out
    CheckpointProvider().create_resource(now)
    assert [(p.phase, p.run_id) for p in there.written][:1] == [("PREFLIGHT", "run-2")]
    there.written.clear()
    CheckpointProvider().create_resource(before)
    assert [p.phase for p in there.written] == ["DEPLOYMENT"], "what is recorded already is not written again"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (_step("f" * 16), ""),
        (_step("0" * 16), "PREFLIGHT: declaration 0000000000000000"),
        (_step("f" * 16, Status.FAILED), "PREFLIGHT is FAILED"),
        (None, "no record of PREFLIGHT"),
    ],
    ids=["recorded", "another declaration", "failed", "missing"],
)
def test_the_record_says_what_was_proven_of_the_phases_before_it(
    monkeypatch: pytest.MonkeyPatch, step: PhaseRecord | None, told: str
) -> None:
    spec = SPECS[2]
    known = {"DEPLOYMENT": _step(fingerprint(spec))} | ({"PREFLIGHT": step} if step else {})
    _recording(monkeypatch, **known)
    before = {**_given(dump(spec), Phase.DEPLOYMENT), "store": {"host": "x"}, "earlier": [EARLY]}
    if not told:
        assert checkpoint._recorded(spec, before) == "COMPLETED"
        return
    with pytest.raises(CheckFailed) as wrong:
        checkpoint._recorded(spec, before)
    assert wrong.value.cause == told
