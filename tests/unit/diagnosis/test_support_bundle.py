"""The archive for support hides every secret."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dive_infra.checks.spec import ConfigurationSpec, dump
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.diagnosis.support_bundle import HIDDEN, Redactor, secrets
from dive_infra.orchestration.states import Phase

FRA = Names(parse("FRA"))
SECRET = "Sehr-geheim-0815"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def checkpoint(phase: Phase, spec: str, store: dict[str, Any] | None = None) -> dict[str, Any]:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(spec)}
    given = {"store": {"plaintext": json.dumps(store)}} if store else {}
    outputs = {"phase": phase, "completed": NOON.isoformat(), "evidence": "all", "spec": hidden, **given}
    return {
        "urn": f"urn:pulumi:fra::dive::pulumi-python:dynamic/dive:Checkpoint::{phase.lower()}-checkpoint",
        "type": "pulumi-python:dynamic/dive:Checkpoint",
        "inputs": given,
        "outputs": outputs,
    }


def exported(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = {"time": "2026-11-24T12:00:00.123456789Z", "version": "v3.250.0"}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": list(resources), **more}}


LOGIN = {
    "host": "postgres.usa.dive.localhost", "port": 5432.0, "user": "orchestration_fra", "password": SECRET, "ca": "CA",
    "database": "orchestration", "address": "127.0.0.1",
}  # fmt: skip


def test_the_archive_hides_what_a_state_holds_as_a_secret() -> None:
    spec = dump(ConfigurationSpec(FRA, (), "CA", keycloak=SECRET, portal=SECRET, accounts={}))
    known = secrets(exported(checkpoint(Phase.CONFIGURATION, spec, LOGIN)))
    assert SECRET in known
    redact = Redactor(known)
    assert redact(f"login {SECRET}!") == f"login {HIDDEN}!"
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
    assert "hkiG9w0BAQEFAASC" not in Redactor([key])("a line of it: hkiG9w0BAQEFAASC"), "line by line too"
    assert "hkiG9w0BAQEFAASC" not in Redactor([key])(json.dumps({"key": key})), "and as it stands in JSON"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijklmnop",
        "postgres://portal:hunter2hunter2@host/portal",
        "password=hunter2hunter2 host=x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_the_archive_hides_what_looks_like_a_secret(text: str) -> None:
    shown = Redactor([])(text)
    assert HIDDEN in shown
    for part in ("abcdefghijklmnop", "hunter2", "eyJ", "MIIEvQ"):
        assert part not in shown
