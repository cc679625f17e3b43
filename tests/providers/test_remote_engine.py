"""A real engine on another host, by TLS and through a real sshd: images, builds, files, containers, probe and gate."""

import io
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from dive_infra import engines
from dive_infra.catalog.spec import FILES, HealthCheck
from dive_infra.checks import preflight
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.dynamic.files import FilesProvider
from dive_infra.dynamic.gate import GateProvider
from dive_infra.dynamic.probe import ProbeProvider
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import endpoint, engine, remote
from dive_infra.engines.engine import EngineError
from dive_infra.images import registry, resolution, transfer
from dive_infra.images.registry import ImageError
from tests.coalition import hosts, ways
from tests.coalition.hosts import Host
from tests.support.by_hand import create

REDIS = "redis:7.4.7-bookworm"
CONTENTS = {f"{FILES}/token": "of the service"}

pytestmark = pytest.mark.skipif(not hosts.possible(), reason=f"only root may have hosts: {', '.join(hosts.NEEDED)}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the operator's certificates."""
    return tmp_path_factory.mktemp("host") / "tls"


@pytest.fixture(scope="module")
def host(tls: Path) -> Iterator[Host]:
    """Another host, whose engine listens at its socket and by TLS."""
    with hosts.hosts(["fra"], lambda host: ways.tls(host, tls), number=1) as made:
        yield made["fra"]


@pytest.fixture(autouse=True)
def nothing_selected() -> Iterator[None]:
    yield
    engines.select(EngineSelection())
    remote._through_ssh.cache_clear()


@pytest.fixture(params=["tls", "ssh"])
def selected(
    host: Host, tls: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EngineSelection]:
    """The engine that this process works with."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "tls":
        engines.select(way := ways.by_tls(host, tls))
        yield way
    elif not ways.sshd():
        pytest.skip("no sshd on this machine: the package openssh-server has it")
    else:
        with ways.by_ssh(host, tmp_path / "ssh") as ssh:
            monkeypatch.setenv("PATH", str(ssh.programs), prepend=":")
            engines.select(ssh.selection)
            yield ssh.selection


@pytest.fixture
def client(selected: EngineSelection, monkeypatch: pytest.MonkeyPatch) -> Iterator[docker.DockerClient]:
    """A client of that engine, to which no registry answers."""

    def refuses(reference: str) -> dict[str, dict[str, str]]:
        raise ImageError(f"{reference}: registry does not answer")

    assert selected.address == endpoint.current().address
    monkeypatch.setattr(registry, "ask", refuses)
    found = engine.client()
    yield found
    for container in found.containers.list(all=True):
        container.remove(force=True, v=True)
    for volume in found.volumes.list():
        volume.remove()
    for network in found.networks.list(names=["divetest-remote-fra"]):
        network.remove()
    for image in found.images.list():
        found.images.remove(image.id, force=True)
    found.close()


def _image(client: docker.DockerClient) -> str:
    """Send an image there from this machine's engine; return its id there."""
    said: list[str] = []
    transfer.bring(client, {"redis": REDIS}, said.append)
    assert [line for line in said if line.startswith("sending ")], said
    sent = resolution.find(client, "redis", REDIS)
    assert sent
    transfer.bring(client, {"redis": REDIS}, pytest.fail)  # what the engine has is not sent again
    return sent.id


def _declared(host: Host, image: str, files: str) -> Declared:
    names = Names(COUNTRIES["FRA"], "divetest-remote", "dive.test", address=host.address)
    return Declared(
        names.container("redis"),
        "999:999",
        HealthCheck(("redis-cli", "ping"), interval=1, timeout=2, retries=2, start_period=0),
        image,
        ("redis-server",),
        ("--protected-mode", "no", "--save", ""),
        tmpfs={"/data": "rw,uid=999,gid=999"},
        memory=64 << 20,
        cpus=0.5,
        processes=50,
        ports=(6379,),
        mounts={FILES: f"{files}:ro"},
        networks={names.network: (names.host("redis"), "redis")},
        labels=names.labels("redis", "core") | {"dive.stack": "fra-1"},
        address=host.address,
    )


def test_a_service_is_brought_there_declared_probed_and_healed(host: Host, client: docker.DockerClient) -> None:
    began, image = time.monotonic(), _image(client)
    declared = _declared(host, image, "divetest-remote-files")
    there = engines.connect()
    assert preflight.endpoint(host.address) == endpoint.current().address
    assert preflight.disk(0) == "on another machine, not checked"

    files = {"volume": "divetest-remote-files", "owner": 999, "contents": CONTENTS, "declared": declared.plain()}
    written = FilesProvider().create_resource(files)[1]
    probe = {"container": declared.name, "declared": declared.plain()}
    assert ProbeProvider().drift_reason(probe) == "does not exist"
    client.networks.create(next(iter(declared.networks)), labels=dict(declared.labels))
    container = create(client, declared)
    gate = {"container": declared.name, "service_class": "core", "declared": declared.plain(), "deadline": 20}
    assert GateProvider().create_resource(gate)[1] == {"degraded": ""}

    assert there.observe(declared.name).healthy
    assert there.differences(there.find(declared), declared) == []
    assert ProbeProvider().drift_reason(probe) is None
    assert there.files_digest(declared.name) == written["digest"]
    assert there.read_file(declared.name, f"{FILES}/token") == CONTENTS[f"{FILES}/token"]
    assert there.output(declared.name, ["redis-cli", "ping"]) == "PONG"
    assert "Ready to accept connections" in there.logs(declared.name, 20)
    socket.create_connection((host.address, 6379), 5).close()

    container.stop()
    assert GateProvider().drift_reason({**gate, "degraded": ""}) == "is stopped (exit code 0)"
    GateProvider().create_resource(gate)
    assert there.observe(declared.name).healthy
    print(f"\n{endpoint.current().address}: {time.monotonic() - began:.1f} s")


def test_an_image_is_built_there(client: docker.DockerClient) -> None:
    context, dockerfile = io.BytesIO(), f"FROM {_image(client)}\nRUN redis-server --version\n".encode()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
    context.seek(0)
    events = client.api.build(fileobj=context, custom_context=True, tag="divetest:1", network_mode="host", decode=True)
    assert "Redis server v=" in "".join(event.get("stream", "") for event in events)
    assert engines.connect().has_image("divetest:1")


def test_an_engine_that_another_ca_vouches_for_is_refused(host: Host, tls: Path, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((tls / name).read_bytes())
    (tmp_path / "ca.pem").write_text(pki.issue("another", 1, authority=True).chain)
    engines.select(ways.by_tls(host, tmp_path))
    with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
        engine.client()


def test_a_client_with_a_certificate_of_another_ca_is_refused(host: Host, tls: Path, tmp_path: Path) -> None:
    other = pki.issue("another", 1, authority=True)
    made = pki.issue("client", 1, pki.Issuer(other.chain, other.key))
    (tmp_path / "ca.pem").write_bytes((tls / "ca.pem").read_bytes())
    (tmp_path / "cert.pem").write_text(made.chain)
    (tmp_path / "key.pem").write_text(made.key)
    engines.select(ways.by_tls(host, tmp_path))
    with pytest.raises(EngineError, match="SSLError"):  # TLS 1.3: seen by an alert, or by the end of the connection
        engine.client()
