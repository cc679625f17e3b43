"""The provider of VERIFICATION, without servers."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra.checks import verification
from dive_infra.checks.runner import Check, CheckFailed, Validation
from dive_infra.checks.spec import dump
from dive_infra.dynamic.checkpoint import DUE
from dive_infra.dynamic.verification import VerificationProvider
from dive_infra.identity.keycloak_admin import KeycloakUnreachable
from dive_infra.results.remedy import Remedy
from tests.unit.checks.specs import SPECS


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ("COMPLETE", ["VERIFICATION phase runs again: it was proven 412 s ago; a proof counts for 300 s"]),
        (
            CheckFailed("FAILED", "COMPLETE", Remedy.update()),
            [
                "VERIFICATION phase runs again: not valid now",
                "  ✗ record: FAILED; expected COMPLETE; next: pulumi up",
            ],
        ),
    ],
    ids=["nothing is wrong", "something is wrong"],
)
def test_a_proof_that_is_due_again_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], record: str | CheckFailed, shown: list[str]
) -> None:
    def look() -> str:
        if isinstance(record, CheckFailed):
            raise record
        return record

    def due() -> str:
        raise CheckFailed(
            "it was proven 412 s ago; a proof counts for 300 s", remedy=Remedy.update(detail="proves it again")
        )

    provider = VerificationProvider()
    checks = [Check("the record says COMPLETE", "record", look), Check("it was proven lately", DUE, due)]
    monkeypatch.setattr(provider, "shallow_checks", lambda *_: checks)
    spec = dump(SPECS[5])
    given = {
        "phase": "VERIFICATION",
        "country": "FRA",
        "spec": spec,
        "store": None,
        "completed": "2026-01-01T00:00:00Z",
    }
    assert provider.diff("fra/VERIFICATION", given, given).changes
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "✗" in line or "runs again" in line] == shown


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (
            "locked out after 6 wrong passwords",
            "probe-fra-fra: was locked out after 6 wrong passwords; the lock is lifted\n",
        ),
        ("", ""),
        (KeycloakUnreachable("out of reach"), ""),
    ],
    ids=["locked", "not locked", "no answer"],
)
def test_a_proof_lifts_the_lock_of_its_person_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lock: str | Exception, said: str
) -> None:
    order: list[str] = []

    def lockout(_: object, lift: bool = False) -> str:
        order.append("lift" if lift else "look")
        if isinstance(lock, Exception):
            raise lock
        return lock

    def proven() -> str:
        order.append("prove")
        return "proven"

    provider = VerificationProvider()
    monkeypatch.setattr(verification, "lockout", lockout)
    monkeypatch.setattr(provider, "checks", lambda _: [Check("a user can log in", "logins", proven)])
    assert provider.prove(SPECS[5]).verdict == "valid"
    assert (order, capsys.readouterr().out) == (["lift", "prove"], said)


def test_what_a_partner_published_for_the_proof_is_what_is_recorded_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said, spec = SimpleNamespace(country="USA"), SPECS[5]
    noted: list[object] = []
    store: Any = Mock(note=noted.append)
    provider = VerificationProvider()
    monkeypatch.setattr(provider.run, "statuses", {})
    monkeypatch.setattr(verification, "checks", lambda _, hears: hears(said) or [])
    monkeypatch.setattr("dive_infra.dynamic.verification.publish", lambda *_: None)
    monkeypatch.setattr("dive_infra.checks.partners.published", Mock(side_effect=AssertionError("asked again")))
    assert provider.checks(spec) == []
    provider.after_record(store, {"country": "FRA"}, spec, Validation((), 0.0))
    assert noted == [said]
