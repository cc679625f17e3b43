"""The report of the doctor."""

from concurrent.futures import Future
from dataclasses import replace
from unittest.mock import Mock

import pytest

from dive_infra.checks import connectivity
from dive_infra.checks.runner import Check
from dive_infra.cli import doctor as doctor_verb
from dive_infra.diagnosis import deep_checks
from dive_infra.diagnosis.deep_checks import CheckRun
from dive_infra.diagnosis.doctor_report import patient_report
from dive_infra.diagnosis.status_report import DoctorReport
from dive_infra.orchestration.states import Phase
from tests.unit.diagnosis.situations import BLIND, MISSING, NOON, STOPPED, examined, finding, stack, validation


def patient() -> DoctorReport:
    realm, pulumi = "realm dive-v3-broker-fra is as declared", "Pulumi is there, in a supported version"
    objects = [finding(f"client {name} is as declared", topic="realm objects") for name in "abc"]
    groups = {
        "MACHINE": [examined(pulumi, "pulumi", finding(pulumi, found="built", seconds=0.1))],
        "CONFIGURATION": [
            examined(realm, "realm objects", *objects),
            examined(realm, "realm objects", MISSING, finding()),
            examined("the users are as declared", "users", BLIND, replace(BLIND, check="another")),
        ],
        "VERIFICATION": [examined("the report is there", "report", replace(STOPPED, advisory=True, seconds=1.25))],
    }
    found = patient_report("FRA", groups)
    return DoctorReport(at=NOON, seconds=2.5, exit_code=doctor_verb.outcome(found), countries=[found])


def test_the_doctor_always_asks_whether_packets_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Mock(return_value="backend reaches 8 of 8 services")
    check = Check(connectivity.SENTENCE, "connectivity", probe)
    monkeypatch.setattr(deep_checks, "connectivity", Mock(check=Mock(return_value=check)))
    known = deep_checks._Known(stack(), Future())
    groups = {g.title: g.checks for g in deep_checks._groups("fra", known, None, Mock())}
    assert check in groups[Phase.INITIALIZATION]
    assert [title for title, checks in groups.items() if check in checks] == [Phase.INITIALIZATION]


def test_the_doctor_sums_up_what_is_valid_and_lists_the_rest() -> None:
    whole = patient_report(
        "FRA", {"A": [CheckRun(Check("s", "t", str), validation(finding("one"), finding("two")))]}, verbose=True
    )
    assert [c.check for c in whole.groups[0].checks] == ["one", "two"]
    (group,) = (g for g in patient().countries[0].groups if g.title == "CONFIGURATION")
    assert [(c.answer, c.findings) for c in group.checks] == [("valid", 3), ("invalid", 1), ("unknown", 2)]
    assert group.checks[0].found == "3 realm objects"
