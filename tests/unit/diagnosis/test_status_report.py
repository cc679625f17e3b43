"""The reports as JSON, by their schemas."""

import json
import os
from dataclasses import replace

import jsonschema
import pytest

from dive_infra.cli import doctor as doctor_verb
from dive_infra.config.paths import ROOT
from dive_infra.diagnosis.doctor_report import patient_report
from dive_infra.diagnosis.history import HistoryReport
from dive_infra.diagnosis.status_report import DoctorReport, StatusReport, json_schema
from tests.unit.diagnosis.situations import BLIND, MISSING, NOON, STOPPED, STORE, examined, finding, report


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


MODELS = {
    "status": (StatusReport, "DIVE status", report("well", "interrupted", "no-record")),
    "doctor": (DoctorReport, "DIVE doctor", patient()),
    "history": (HistoryReport, "DIVE history", HistoryReport(code="FRA", runs=[], recorded=True)),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_printed_as_json_is_what_its_schema_says(name: str) -> None:
    model, title, made = MODELS[name]
    path = ROOT / "schemas" / f"{name}.json"
    if os.environ.get("REGENERATE"):
        path.write_text(json.dumps(json_schema(model, title), indent=2) + "\n")
    schema = json.loads(path.read_text())
    assert schema == json_schema(model, title)
    jsonschema.Draft202012Validator(schema).validate(json.loads(made.model_dump_json()))
    assert STORE.password not in made.model_dump_json()
