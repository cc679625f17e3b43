"""Files, probe and gate, called as the engine calls them, on real containers."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from dive_infra.dynamic.base import Refused
from dive_infra.dynamic.files import FilesProvider
from dive_infra.dynamic.gate import GateProvider
from dive_infra.dynamic.probe import ProbeProvider
from dive_infra.machine import engine, images
from dive_infra.machine.containers import DECLARATION, look

PREFIX = "divetest-resource"
LABELS = {"dive.namespace": "divetest-resources"}


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = engine.client()
    yield found
    found.close()


@pytest.fixture(scope="module")
def image(client: docker.DockerClient) -> str:
    return images.resolve(client, "redis", "redis:7.4.7-bookworm").id


@pytest.fixture
def run(client: docker.DockerClient, image: str) -> Iterator[Any]:
    """Starts a container of the tests; all are removed afterwards."""
    made: list[Container] = []

    def start(script: str, health: str | None = None, **more: Any) -> Container:
        check = {"test": ["CMD", "sh", "-c", health], "interval": 500_000_000, "retries": 3} if health else None
        container = client.containers.run(
            image, ["-c", script], entrypoint=["sh"], name=f"{PREFIX}-{len(made)}", detach=True, healthcheck=check,
            labels=LABELS | more.pop("labels", {}), **more,
        )  # fmt: skip
        made.append(container)
        return container

    yield start
    for container in made:
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)


def gate(container: Container, service_class: str = "core", deadline: float = 20) -> dict[str, Any]:
    return {
        "container": container.name,
        "container_id": container.id,
        "service_class": service_class,
        "processes": 50.0,
        "deadline": deadline,
    }


# Gate.


def test_a_gate_opens_when_the_container_is_healthy_and_limits_its_processes(
    run: Any, client: docker.DockerClient
) -> None:
    container = run("sleep 1; touch /tmp/ready; sleep 600", health="test -e /tmp/ready")
    made = GateProvider().create(gate(container))
    assert made.outs
    assert made.outs["ready"] == "127.0.0.1"
    container.reload()
    assert look(client, container.name).healthy
    assert container.attrs["HostConfig"]["PidsLimit"] == 50
    assert not GateProvider().diff(made.id, made.outs, gate(container)).changes, "the next look finds nothing to do"


def test_a_container_that_exits_fails_within_seconds_and_shows_its_last_words(run: Any) -> None:
    container = run("echo cannot open the vault; exit 7", health="false")
    started = time.monotonic()
    with pytest.raises(Refused, match=r"stopped \(exit code 7\)(.|\n)*cannot open the vault"):
        GateProvider().create(gate(container, deadline=60))
    assert time.monotonic() - started < 20, "not at its deadline"


def test_an_optional_service_that_fails_is_a_warning_that_stays(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    container = run("echo no telemetry today; exit 1", health="false")
    made = GateProvider().create(gate(container, "optional"))
    assert made.outs
    assert "stopped (exit code 1)" in made.outs["degraded"]
    assert "warning: optional service" in capsys.readouterr().out
    assert GateProvider().diff(made.id, made.outs, gate(container, "optional")).changes, "told again at every update"


def test_a_container_that_never_gets_healthy_fails_at_its_deadline(run: Any) -> None:
    container = run("echo still loading; sleep 600", health="false")
    with pytest.raises(Refused, match=r"expected (running and )?healthy(.|\n)*still loading"):
        GateProvider().create(gate(container, deadline=3))


def test_a_stopped_container_is_seen_and_started_again(run: Any) -> None:
    container = run("trap 'exit 0' TERM; while :; do sleep 0.1; done", health="true")
    made = GateProvider().create(gate(container))
    assert made.outs
    container.stop(timeout=2)
    assert GateProvider().diff(made.id, made.outs, gate(container)).changes
    GateProvider().update(made.id, made.outs, gate(container))
    container.reload()
    assert container.status == "running"
    assert container.id == made.outs["container_id"], "started, not replaced"


# Probe.


def probe(container: Container, declaration: str = "d1", networks: tuple[str, ...] = ("bridge",)) -> dict[str, Any]:
    return {
        "container": container.name,
        "image": container.attrs["Image"],
        "declaration": declaration,
        "networks": list(networks),
    }


def test_a_probe_replaces_a_container_that_is_gone(run: Any) -> None:
    container = run("sleep 600", labels={DECLARATION: "d1"})
    made = ProbeProvider().create(probe(container))
    assert made.outs
    assert not ProbeProvider().diff(made.id, made.outs, probe(container)).changes
    inputs = probe(container)
    container.rename(f"{PREFIX}-away")
    assert ProbeProvider().diff(made.id, made.outs, inputs).changes
    mended = ProbeProvider().update(made.id, made.outs, inputs).outs
    assert mended
    assert mended["generation"] == made.outs["generation"] + 1, "the container's replacement trigger"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"image": "sha256:" + "0" * 64}, "runs image"),
        ({"declaration": "d2"}, "is not the declared container"),
        ({"networks": ["bridge", "lost"]}, "is not connected to network lost"),
    ],
)
def test_a_probe_sees_a_container_that_was_made_anew_by_hand(run: Any, other: dict[str, Any], told: str) -> None:
    container = run("sleep 600", labels={DECLARATION: "d1"})
    deployed = probe(container) | other
    assert told in (ProbeProvider().drift(deployed) or "")


def test_a_changed_declaration_alone_leaves_the_generation(run: Any) -> None:
    container = run("sleep 600", labels={DECLARATION: "d1"})
    made = ProbeProvider().create(probe(container))
    assert made.outs
    changed = ProbeProvider().update(made.id, made.outs, probe(container, "d2")).outs
    assert changed
    assert changed["generation"] == 0, "the container is replaced by its own changed inputs"


def test_an_engine_out_of_reach_is_not_taken_for_a_missing_container(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    container = run("sleep 600", labels={DECLARATION: "d1"})
    made = ProbeProvider().create(probe(container))
    assert made.outs
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert not ProbeProvider().diff(made.id, made.outs, probe(container)).changes
    assert "could not be checked, kept as it was" in capsys.readouterr().out


# Files.


def test_files_arrive_with_their_owner_and_mode_and_go_with_their_volume(
    client: docker.DockerClient, image: str, run: Any
) -> None:
    inputs = {
        "volume": f"{PREFIX}-files",
        "labels": LABELS,
        "owner": 999.0,
        "contents": {"/etc/dive/tls.key": "secret\n", "/etc/dive/policies/base/authz.rego": "package x\n"},
        "fingerprint": "f1",
        "image": image,
    }
    provider = FilesProvider()
    made = provider.create(inputs)
    assert made.outs
    try:
        script = "cd /etc/dive; stat -c '%n %u:%g %a' . tls.key policies/base/authz.rego; cat tls.key"
        container = run(script, volumes={inputs["volume"]: {"bind": "/etc/dive", "mode": "ro"}}, user="999:999")
        assert container.wait()["StatusCode"] == 0
        assert container.logs().decode().splitlines() == [
            ". 999:999 500",
            "tls.key 999:999 400",
            "policies/base/authz.rego 999:999 400",
            "secret",
        ]
        container.remove(v=True)
        assert not provider.diff(made.id, made.outs, inputs).changes
        provider.delete(made.id, made.outs)
        assert provider.diff(made.id, made.outs, inputs).changes, "a volume that is gone is written again"
    finally:
        provider.delete(made.id, made.outs)
