"""The configuration of the OPAL client, which is a file of its container: what it does when OPA breaks off."""

import http.client
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dive_infra.catalog import opal
from dive_infra.crypto import pki

TEXT = (Path(opal.__file__).parent / "client.py").read_text()


class Enough(Exception):
    """Ends the watch, which never ends by itself."""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in (("opal-token", "t1"), ("opa-token", "t2"), ("ca.pem", pki.issue("ca", 1, authority=True).chain)):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("OPAL_POLICY_STORE_URL", "https://opa")
    monkeypatch.setenv("UVICORN_PORT", "1")
    for name in (
        "OPAL_CLIENT_TOKEN",
        "OPAL_POLICY_STORE_AUTH_TOKEN",
        "OPAL_AUTH_PUBLIC_KEY",
        "OPAL_AUTH_PUBLIC_KEY_FORMAT",
    ):
        monkeypatch.setenv(name, "")  # the module sets them; put back afterwards
    module = ModuleType("gunicorn_conf")
    exec(compile(TEXT.replace("/etc/dive", str(tmp_path)), "client.py", "exec"), vars(module))
    return module


@pytest.mark.parametrize(
    "broken",
    [
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected("gone"),
        ConnectionRefusedError(),
        TimeoutError(),
        json.JSONDecodeError("half", "", 0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_opa_is_looked_after_again_whatever_broke_off(
    client: Any, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    """It was restarted in the middle of its answer, and has forgotten its policies."""
    answers: list[Exception | bytes] = [broken, b'{"result": []}', b"loading", Enough()]
    asked: list[str] = []

    def call(url: str, _token: str, _method: str = "GET") -> bytes:
        asked.append(url)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "_call", call)
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    with pytest.raises(Enough):
        client._watch()
    assert asked == [
        "https://opa/v1/policies",
        "https://opa/v1/policies",
        "https://127.0.0.1:1/policy-updater/trigger",
        "https://opa/v1/policies",
    ]
