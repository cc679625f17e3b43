"""An engine on another machine is used as one at a socket: through ssh, and by TLS with certificates of its own."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from dive_infra import engines
from dive_infra.config.engine_selection import EngineSelection, SshTarget
from dive_infra.crypto import pki
from dive_infra.engines.docker import engine, remote
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import EngineError
from tests.support.engine import VERSION, FakeSsh, StandIn, archive, at_socket, fake_ssh, over_tls
from tests.support.waiting import wait_for

ADDRESS = "ssh://anne@engine.example:2222"


@pytest.fixture(autouse=True)
def nothing_selected() -> Iterator[None]:
    yield
    engines.select(EngineSelection())
    remote._through_ssh.cache_clear()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[StandIn]:
    stand_in = StandIn()
    with at_socket(stand_in, tmp_path / "docker.sock"):
        yield stand_in


@pytest.fixture
def ssh(there: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engines.select(EngineSelection(ADDRESS))
    return fake_ssh(tmp_path, tmp_path / "docker.sock", sys.executable)


def await_end(process: int) -> None:
    wait_for(lambda: not Path(f"/proc/{process}").exists(), within=5)


def test_the_command_is_that_of_dockers_own_client(ssh: FakeSsh) -> None:
    assert engine.client().api.api_version == VERSION
    [[_, *arguments]] = ssh.started
    assert arguments[-6:] == ["anne", "-p", "2222", "--", "engine.example", "docker system dial-stdio"]
    assert remote.command(SshTarget("", "::1", ""))[-3:] == ["--", "::1", "docker system dial-stdio"]


def test_clients_share_their_connections(ssh: FakeSsh) -> None:
    for _ in range(3):
        client = engine.client()
        assert client.info()["Architecture"] == "x86_64"
        client.close()
    assert len(ssh.started) == 1


def test_a_crowd_is_served_by_a_few_connections(ssh: FakeSsh) -> None:
    client = engine.client()
    with ThreadPoolExecutor(40) as crowd:
        found = list(crowd.map(lambda _: client.info()["Architecture"], range(80)))
    assert found == ["x86_64"] * 80
    assert len(ssh.started) <= remote.CONNECTIONS


def test_nothing_of_a_process_that_ends_at_once_is_lost(ssh: FakeSsh, there: StandIn) -> None:
    """Its output comes with the headers of the answer, which the library does not read any further than it must."""
    there.prints = (b"o" * 100_000, b"warning")
    for _ in range(3):
        done = engine.client().containers.get("opa").exec_run(["true"], demux=True)
        assert done.output == there.prints
    assert DockerEngine(engine.client()).output("opa", ["true"]) == "o" * 100_000


def test_a_health_check_is_started_and_asked_for(ssh: FakeSsh, there: StandIn) -> None:
    api = engine.client().api
    asked = api.exec_create("opa", ["true"])["Id"]
    api.exec_start(asked, detach=True)
    assert api.exec_inspect(asked)["ExitCode"] == 0


def test_files_and_logs_come_back_whole(ssh: FakeSsh, there: StandIn) -> None:
    packed = archive({"token": os.urandom(300_000)})
    container = engine.client().containers.get("opa")
    assert container.put_archive("/", packed)
    stream, stat = container.get_archive("/token")
    assert (b"".join(stream), stat["name"]) == (packed, "token")
    assert container.logs(tail=5) == b"outerr"


def test_what_is_built_and_loaded_is_sent_and_answered_in_streams(ssh: FakeSsh, there: StandIn) -> None:
    client = engine.client()
    context = io.BytesIO(archive({"Dockerfile": b"FROM scratch"}))
    events = client.api.build(fileobj=context, custom_context=True, tag="x", decode=True)
    assert [event["stream"] for event in events] == ["Step 0\n", "Step 1\n", "Step 2\n"]
    parts: docker.types.CancellableStream = iter([b'{"x:1": "amd', b'64"}'])  # type: ignore[assignment]
    assert [image.id for image in client.images.load(parts)] == ["id of x:1"]


def test_a_connection_that_was_lost_is_made_again(ssh: FakeSsh) -> None:
    client = engine.client()
    [[process, *_]] = ssh.started
    os.kill(process, signal.SIGKILL)
    await_end(process)
    assert client.info()
    assert len(ssh.started) == 2


def test_the_processes_end_with_the_connections(ssh: FakeSsh) -> None:
    engine.client().info()
    [[process, *_]] = ssh.started
    remote._through_ssh(ADDRESS)._pool.close()
    await_end(process)


def test_what_ssh_says_is_the_reason_and_the_way_there_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: FakeSsh
) -> None:
    fake_ssh(tmp_path, tmp_path / "docker.sock", sys.executable, "anne@engine.example: Permission denied (publickey).")
    with pytest.raises(EngineError) as failed:
        engine.client()
    told = f"no Docker engine answers at {ADDRESS} (dive:engine): "
    assert failed.value.cause.startswith(told)
    assert "ssh ended with code 1: anne@engine.example: Permission denied (publickey)." in failed.value.cause
    assert str(failed.value.remedy).startswith(
        f"start the engine of dive:engine ({ADDRESS}), or fix the connection to it"
    )


def test_a_machine_without_ssh_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engines.select(EngineSelection(ADDRESS))
    with pytest.raises(EngineError, match=r"ssh is not installed on this machine"):
        engine.client()


@pytest.mark.parametrize("address", ["ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://host/path", "ssh://a@b@c"])
def test_no_address_becomes_an_option_of_ssh(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match=r"is no address for ssh; expected ssh://\[user@\]host\[:port\]"):
        engine.client()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder as Docker expects it, and the server's certificate beside."""
    root = pki.issue("engine", 1, authority=True)
    signer = pki.Issuer(root.chain, root.key)
    (tmp_path / "ca.pem").write_text(root.chain)
    for chain, key in (("server.pem", "server.key"), ("cert.pem", "key.pem")):
        made = pki.issue(chain, 1, signer, ["127.0.0.1"])
        (tmp_path / chain).write_text(made.chain)
        (tmp_path / key).write_text(made.key)
    return tmp_path


def test_both_sides_of_a_tls_connection_are_verified_by_the_given_certificates_alone(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = pki.issue("another", 1, authority=True)
    (certificates / "bundle.pem").write_text(other.chain)
    monkeypatch.setenv("DOCKER_CONFIG", str(certificates))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "bundle.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with over_tls(StandIn(), certificates) as address:
        engines.select(EngineSelection(address, str(certificates)))
        assert engine.client().info()["Architecture"] == "x86_64"
        engines.select(EngineSelection())
        monkeypatch.setenv("DOCKER_HOST", address)  # as `./dive env` gives it to others
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
        assert engine.client().info()
        (certificates / "ca.pem").write_text(other.chain)
        with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
            engine.client()
