"""Docker's client configuration: read as Docker does, or its flaw named with the file."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dive_infra.config.json_file import FileError
from dive_infra.engines.docker import docker_config, endpoint, engine
from dive_infra.engines.engine import EngineError
from dive_infra.images import registry
from tests.unit.config.test_json_file import JSON


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path


KEYS = st.sampled_from(["auths", "credsStore", "credHelpers", "currentContext", "proxies", "HttpHeaders", "x"])
CONFIGS = JSON | st.dictionaries(KEYS, JSON) | st.dictionaries(KEYS, st.dictionaries(st.text(max_size=4), JSON))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONFIGS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=32))
@example(b'{"currentContext": null}')
@example(b"[]")
@example(b'{"auths": {"x": {"auth": "?"}}}')
@example(b'{"proxies": null}')
@example(b'{"auths": {"\\n": null}}')
@example(b'{"currentContext": "\\n"}')
def test_with_any_content_the_client_answers_in_one_line(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        with pytest.raises(EngineError) as error:
            engine.client(1)
        assert "\n" not in str(error.value).strip()
    told = flaw_of_host()
    assert not told or str(folder) in told or "docker context" in told


def flaw_of_host() -> str:
    try:
        endpoint.current()
    except EngineError as flaw:
        return str(flaw)
    return ""


def test_a_context_of_null_is_the_default(folder: Path) -> None:
    (folder / "config.json").write_text('{"currentContext": null}')
    assert endpoint.current().selected_by == "the default socket"


def test_a_list_is_named_with_its_file(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    with pytest.raises(EngineError, match=rf"{folder}/config.json holds a list; expected a JSON object; next: "):
        endpoint.current()


def test_a_wrong_key_is_named(folder: Path) -> None:
    (folder / "config.json").write_text('{"credHelpers": {"quay.io": 5}}')
    with pytest.raises(FileError, match=rf"{folder}/config.json: credHelpers.quay.io: input should be a valid string"):
        docker_config.read()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=32))
def test_a_context_with_any_content_is_named(folder: Path, content: bytes) -> None:
    meta = folder / "contexts" / "meta" / sha256(b"remote").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True, exist_ok=True)
    meta.write_bytes(content)
    with pytest.raises(FileError, match=str(meta)):
        docker_config.context("remote")


@pytest.mark.parametrize("content", ['{"credsStore": "absent"}', '{"credHelpers": {"quay.io": "absent"}}'])
def test_a_missing_helper_is_named_with_its_file_before_a_pull(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(registry.ImageError) as error:
        registry.ask("quay.io/x/y:1")
    told = f"{folder}/config.json names the credential helper docker-credential-absent, which is not on PATH; next: "
    assert str(error.value).startswith(told)


def test_without_a_helper_nothing_is_missing(folder: Path) -> None:
    assert docker_config.missing_helper() == ""
