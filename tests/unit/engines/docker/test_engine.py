"""Which engine is meant."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from dive_infra.engines.docker import engine


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's ~/.docker with a context `remote`."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    meta = tmp_path / "contexts/meta" / sha256(b"remote").hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": "unix:///nowhere/remote.sock", "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": "remote", "Metadata": {}, "Endpoints": endpoint}))
    return tmp_path


def test_the_usual_socket_is_meant_when_nothing_else_is_said(docker_config: Path) -> None:
    assert engine.host() == (engine.SOCKET, "the default socket")


def test_the_current_context_is_honoured(docker_config: Path) -> None:
    (docker_config / "config.json").write_text('{"currentContext": "remote"}')
    assert engine.host() == ("unix:///nowhere/remote.sock", "docker context 'remote'")


def test_docker_host_goes_before_a_context(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/here.sock")
    assert engine.host() == ("unix:///nowhere/here.sock", "DOCKER_HOST")


def test_an_unknown_context_is_refused(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    with pytest.raises(engine.EngineError, match=r"'elsewhere': not found; expected one of `docker context ls`"):
        engine.host()


def test_an_engine_named_by_the_operator_is_never_replaced_by_another(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/here.sock")
    with pytest.raises(
        engine.EngineError, match=r"no Docker engine answers at unix:///nowhere/here\.sock \(DOCKER_HOST\)"
    ):
        engine.ensure(lambda _: pytest.fail("nothing is to be installed or started"))
