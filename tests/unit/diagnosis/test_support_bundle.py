"""The archive for support hides every secret."""

import json

import pytest

from dive_infra.checks.spec import ConfigurationSpec, dump
from dive_infra.diagnosis.support_bundle import HIDDEN, Redactor, secrets
from dive_infra.orchestration.states import Phase
from tests.unit.exported_states import FRA, LOGIN, SECRET, checkpoint, exported


def test_the_archive_hides_what_a_state_holds_as_a_secret() -> None:
    spec = dump(ConfigurationSpec(FRA, (), "CA", keycloak=SECRET, portal=SECRET))
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
