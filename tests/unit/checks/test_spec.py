"""Specifications of phases: their way into the state and back, and their fingerprints."""

import json
import traceback
from dataclasses import replace

import pytest

from dive_infra.checks.spec import (
    PreflightSpec,
    Spec,
    Unreadable,
    VerificationSpec,
    dump,
    fingerprint,
    load,
    phase_of,
)
from tests.unit.checks.specs import CONFIGURATION, DEPLOYMENT, FRANCE, OPA, SECRET, SPECS


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
def test_a_specification_survives_its_journey(spec: Spec) -> None:
    again = load(phase_of(spec), dump(spec))
    assert again == spec
    assert fingerprint(again) == fingerprint(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
def test_secrets_are_neither_shown_nor_part_of_the_fingerprint(spec: Spec) -> None:
    assert SECRET not in repr(spec)
    other = load(phase_of(spec), dump(spec).replace(SECRET, "another"))
    assert fingerprint(other) == fingerprint(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
@pytest.mark.parametrize("broken", ['"code"', None], ids=["a field is gone", "not JSON"])
def test_a_specification_of_another_program_is_reported_by_its_fields_alone(spec: Spec, broken: str | None) -> None:
    text = dump(spec).replace(broken, '"renamed"') if broken else dump(spec)[:-1]
    with pytest.raises(Unreadable) as caught:
        load(phase_of(spec), text)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert "pydantic" not in told.splitlines()[-1]
    assert str(caught.value).startswith(f"the specification of {phase_of(spec)} was written by another version: ")
    assert ("code (missing)" if broken else "(json_invalid)") in str(caught.value)


def test_a_changed_declaration_changes_the_fingerprint() -> None:
    changed = replace(
        DEPLOYMENT, containers=(replace(DEPLOYMENT.containers[0], declared=replace(OPA, image="sha256:2")),)
    )
    assert fingerprint(changed) != fingerprint(DEPLOYMENT)


def test_a_specification_without_recorded_keys_is_that_of_an_earlier_program() -> None:
    earlier = replace(CONFIGURATION, keys={})
    assert "keys" not in json.loads(dump(earlier))
    assert load(phase_of(earlier), dump(earlier)) == earlier


def test_an_address_is_declared_and_without_one_a_specification_is_that_of_an_earlier_program() -> None:
    assert '"address":""' not in dump(DEPLOYMENT)
    there = replace(DEPLOYMENT, names=replace(FRANCE, address="127.0.0.2"))
    assert load(phase_of(there), dump(there)) == there
    assert fingerprint(there) != fingerprint(DEPLOYMENT)
    assert "address" not in OPA.plain()
    assert replace(OPA, address="127.0.0.2").plain() == {**OPA.plain(), "address": "127.0.0.2"}


def test_recorded_keys_are_no_declaration() -> None:
    assert fingerprint(replace(CONFIGURATION, keys={})) == fingerprint(CONFIGURATION)


def test_a_country_without_agreements_has_the_specification_of_an_earlier_program() -> None:
    spoke = PreflightSpec(FRANCE, "mark", (), ends={"FRA": "2027-12-31T00:00:00Z"})
    earlier = replace(spoke, ends={})
    assert "ends" not in json.loads(dump(earlier))
    assert load(phase_of(spoke), dump(spoke)) == spoke
    assert fingerprint(spoke) == fingerprint(earlier)


def test_a_renewed_document_is_no_other_declaration_of_a_spoke() -> None:
    """Else the record, which DEPLOYMENT writes for PREFLIGHT, would disagree with the state after each of them."""
    spoke = PreflightSpec(FRANCE, "mark", (), expires="2026-01-01T00:00:00Z")
    assert fingerprint(replace(spoke, expires="2026-07-01T00:00:00Z")) == fingerprint(spoke)


def test_a_specification_outside_a_rotation_is_that_of_an_earlier_program() -> None:
    [plain] = [spec for spec in SPECS if isinstance(spec, VerificationSpec)]
    rotating = replace(plain, issuer="PEM")
    assert "issuer" not in json.loads(dump(plain))
    assert load(phase_of(rotating), dump(rotating)) == rotating
    assert fingerprint(rotating) == fingerprint(plain), "INITIALIZATION, which runs before, has changed"
