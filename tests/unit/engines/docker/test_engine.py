"""Which engines are connected to, and which may be installed and started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dive_infra import engines
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.engines.docker import endpoint, engine
from dive_infra.engines.engine import EngineError
from tests.support.engine import StandIn, at_socket


@pytest.fixture(autouse=True)
def no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    yield
    engines.select(EngineSelection())


def test_an_engine_named_by_the_operator_is_never_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/here.sock")
    with pytest.raises(EngineError, match=r"no Docker engine answers at unix:///nowhere/here\.sock \(DOCKER_HOST\)"):
        engine.ensure(lambda _: pytest.fail("nothing is to be installed or started"))


def test_nor_is_the_one_of_the_setting() -> None:
    engines.select(EngineSelection("unix:///nowhere/here.sock"))
    with pytest.raises(EngineError, match=r"no Docker engine answers at unix:///nowhere/here\.sock \(dive:engine\)"):
        engine.ensure(lambda _: pytest.fail("nothing is to be installed or started"))


def test_the_setting_goes_before_the_variables_of_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://nowhere:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with at_socket(StandIn(), tmp_path / "docker.sock") as address:
        engines.select(EngineSelection(address))
        assert engine.client().info()["Architecture"] == "x86_64"
        assert engines.connect().command_in("opa", "true") == f"docker -H {address} exec opa sh -c true"


def test_this_machines_engine_is_another_one_only_if_a_country_runs_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_socket(StandIn(), tmp_path / "here.sock") as here, at_socket(StandIn(), tmp_path / "there.sock") as there:
        monkeypatch.setattr(endpoint, "SOCKET", here)
        assert engine.client_here() is None
        monkeypatch.setenv("DOCKER_HOST", there)
        assert engine.client_here() is None, "it is on this machine, and as before nothing else is looked for"
        engines.select(EngineSelection(there))
        found = engine.client_here()
        assert found
        assert found.info()
        engines.select(EngineSelection(here))
        assert engine.client_here() is None
    engines.select(EngineSelection("ssh://elsewhere"))
    assert engine.client_here() is None, "it does not answer"


@pytest.mark.parametrize(("kernel", "image"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")])
def test_processors_have_the_names_that_images_have(kernel: str, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: kernel)
    assert engine.architecture_here() == engine.architecture({"Architecture": kernel}) == image
