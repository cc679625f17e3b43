"""The table of `./dive doctor`.

`REGENERATE=1 pytest tests/unit/cli/test_doctor.py` writes the expected outputs again.
"""

from dataclasses import replace

import pytest

from dive_infra.cli import doctor as doctor_verb
from dive_infra.diagnosis.doctor_report import patient_report
from dive_infra.diagnosis.status_report import DoctorReport
from tests.unit.diagnosis.situations import BLIND, MISSING, NOON, STOPPED, drawn, examined, finding, held


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


@pytest.mark.parametrize("width", [80, 120])
def test_the_doctors_table_looks_as_recorded(width: int) -> None:
    text = drawn(lambda console: doctor_verb.table(patient(), console), width)
    assert max(map(len, text.splitlines())) <= width
    held(f"doctor-{width}", text)


@pytest.mark.parametrize("width", [80, 120])
def test_the_doctor_shows_only_what_failed_when_asked(width: int) -> None:
    text = drawn(lambda console: doctor_verb.table(patient(), console, failed=True), width)
    assert "✓" not in text
    assert "MACHINE" not in text
    assert text.splitlines()[-1].startswith("8 checks in 2.5 s: 1 wrong")
    held(f"doctor-failed-{width}", text)
