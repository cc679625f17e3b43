"""Which engine is meant, how other programs find it, and how operators address it."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dive_infra import engines
from dive_infra.config import paths
from dive_infra.config.engine_selection import FILES, EngineSelection
from dive_infra.engines.docker import endpoint
from dive_infra.engines.docker.endpoint import SOCKET
from dive_infra.engines.engine import EngineError


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An operator's ~/.docker with a context `remote`."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    context(tmp_path, "remote", Host="unix:///nowhere/remote.sock", SkipTLSVerify=False)
    yield tmp_path
    engines.select(EngineSelection())


def context(folder: Path, name: str, **described: Any) -> Path:
    """Write a context; return the folder of its TLS files, which it does not have yet."""
    mark = sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / mark
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": described}}))
    return folder / "contexts/tls" / mark / "docker"


def certificates(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).touch()
    return folder


def meant() -> tuple[str, str]:
    found = endpoint.current()
    return found.address, found.selected_by


def test_the_usual_socket_is_meant_when_nothing_else_is_said() -> None:
    assert meant() == (SOCKET, "the default socket")
    found = endpoint.current()
    assert (found.is_local, found.is_default, found.variables, found.command) == (
        True,
        True,
        {"DOCKER_HOST": SOCKET},
        "docker",
    )


def test_the_current_context_is_honoured(docker_config: Path) -> None:
    (docker_config / "config.json").write_text('{"currentContext": "remote"}')
    assert meant() == ("unix:///nowhere/remote.sock", "docker context 'remote'")
    assert endpoint.current().variables == {"DOCKER_HOST": "unix:///nowhere/remote.sock"}
    assert endpoint.current().command == "docker", "which uses the same context"


def test_docker_host_goes_before_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/here.sock")
    assert meant() == ("unix:///nowhere/here.sock", "DOCKER_HOST")
    assert endpoint.current().variables == {}, "those of the operator are kept"


def test_an_unknown_context_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    with pytest.raises(EngineError, match=r"'elsewhere': not found; expected one of `docker context ls`"):
        endpoint.current()


def everywhere(address: str, folder: str = "") -> dict[str, str]:
    return {
        "DOCKER_HOST": address,
        "DOCKER_CONTEXT": "",
        "DOCKER_CERT_PATH": folder,
        "DOCKER_TLS_VERIFY": "1" if folder else "",
    }


def test_the_setting_goes_before_everything_and_every_client_of_docker_is_led_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/here.sock")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    engines.select(EngineSelection("ssh://anne@host:22"))
    found = engines.current()
    assert meant() == ("ssh://anne@host:22", "dive:engine")
    assert found.variables == everywhere("ssh://anne@host:22")
    assert found.command == "docker -H ssh://anne@host:22"
    assert not found.is_local


def test_a_context_that_the_setting_names_is_that_of_this_machine(docker_config: Path) -> None:
    engines.select(EngineSelection("context:remote"))
    found = engines.current()
    assert meant() == ("unix:///nowhere/remote.sock", "dive:engine context:remote")
    assert found.command == "docker --context remote"
    assert found.is_local
    engines.select(EngineSelection("context:default"))
    assert engines.current().is_default
    assert engines.current().command == "docker"


def test_the_certificates_are_beside_the_stack_files_or_anywhere(docker_config: Path) -> None:
    folder = certificates(docker_config / "engine")
    for given in ("engine", str(folder)):
        engines.select(EngineSelection("tcp://host:2376", given))
        found = engines.current()
        assert found.certificates == str(folder)
        assert found.variables == everywhere("tcp://host:2376", str(folder))
        options = f"--tlsverify --tlscacert {folder}/ca.pem --tlscert {folder}/cert.pem --tlskey {folder}/key.pem"
        assert found.command == f"docker {options} -H tcp://host:2376"
    (folder / "key.pem").unlink()
    with pytest.raises(EngineError) as failed:
        endpoint.current()
    assert str(failed.value).startswith(f"dive:engineCertificates: key.pem missing in {folder}; expected ca.pem, cert")


def test_a_context_with_tls_files_is_used_with_them(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = context(docker_config, "lab", Host="tcp://lab:2376", SkipTLSVerify=False)
    certificates(folder)
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    found = endpoint.current()
    assert (found.address, found.certificates) == ("tcp://lab:2376", str(folder))
    assert found.variables == everywhere("tcp://lab:2376", str(folder)), "Pulumi's provider knows no context's files"
    (folder / "ca.pem").unlink()
    with pytest.raises(EngineError, match=r"docker context 'lab': ca\.pem missing"):
        endpoint.current()


def test_a_context_that_verifies_nothing_is_refused(docker_config: Path) -> None:
    context(docker_config, "lax", Host="tcp://lab:2376", SkipTLSVerify=True)
    engines.select(EngineSelection("context:lax"))
    with pytest.raises(EngineError, match="'lax' does not verify its engine"):
        endpoint.current()


def test_a_recorded_setting_is_checked_before_it_is_used() -> None:
    engines.select(EngineSelection("ssh://-oProxyCommand=touch"))
    with pytest.raises(EngineError, match="dive:engine: found 'ssh://-oProxyCommand=touch', expected unix:///path"):
        endpoint.current()


def test_the_engine_of_this_machine_is_what_docker_uses_without_variables(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    found = endpoint.of_this_machine()
    assert found
    assert found.address == SOCKET
    context(docker_config, "far", Host="ssh://far", SkipTLSVerify=False)
    (docker_config / "config.json").write_text('{"currentContext": "far"}')
    assert endpoint.of_this_machine() is None
