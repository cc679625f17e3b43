"""Files, probe and gate, called as the engine calls them, on real containers."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from dive_infra.catalog.spec import FILES, HealthCheck
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.files import LIVE, FilesProvider, LiveFilesProvider
from dive_infra.dynamic.gate import GateProvider
from dive_infra.dynamic.probe import ProbeProvider
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import engine, files
from dive_infra.engines.docker.containers import observe
from dive_infra.engines.docker.differences import differences
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.images import resolution
from tests.support.by_hand import create
from tests.support.record import Record
from tests.support.waiting import wait_for

PREFIX = "divetest-resource"
LABELS = {"dive.namespace": "divetest-resources", "dive.stack": "t-1"}
MEGABYTE = 1024 * 1024
SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
HEALTHY, SICK = "true", "false"
FILES_VOLUME = f"{PREFIX}-files"
CONTENTS = {f"{FILES}/tls.key": "secret\n", f"{FILES}/policies/base/authz.rego": "package x\n"}


@dataclass
class Bench:
    """Makes containers in a network of their own; all are removed afterwards."""

    client: docker.DockerClient
    image: str
    made: list[str] = field(default_factory=list[str])

    def declared(self, script: str = SLEEP, health: str = HEALTHY, **more: Any) -> Declared:
        check = HealthCheck(("sh", "-c", health), interval=1, timeout=1, retries=2, start_period=0)
        given: dict[str, Any] = {
            "image": self.image,
            "entrypoint": ("sh", "-c"),
            "command": (script,),
            "environment": {"MODE": "real"},
            "tmpfs": {"/tmp": "rw"},
            "memory": 64 * MEGABYTE,
            "cpus": 0.5,
            "processes": 50,
            "networks": {PREFIX: ("service", "service.host")},
            "labels": LABELS,
        }
        return Declared(f"{PREFIX}-{len(self.made)}", "999:999", check, **{**given, **more})

    def start(self, declared: Declared, **other: Any) -> Container:
        self.made.append(declared.name)
        container = create(self.client, declared, **{"pids_limit": declared.processes, **other})
        container.start()
        return container

    def off(self, declared: Declared) -> list[str]:
        return [d.key for d in differences(self.client, observe(self.client, declared.name).attributes, declared)]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = engine.client()
    yield found
    found.close()


@pytest.fixture(scope="module")
def network(client: docker.DockerClient) -> Iterator[str]:
    made = client.networks.create(PREFIX, labels=LABELS)
    yield PREFIX
    made.remove()


@pytest.fixture
def bench(client: docker.DockerClient, network: str) -> Iterator[Bench]:
    found = Bench(client, resolution.resolve(client, "redis", "redis:7.4.7-bookworm").id)
    yield found
    for name in found.made:
        with suppress(NotFound):
            client.containers.get(name).remove(force=True, v=True)


def started(container: Container) -> tuple[str, str]:
    container.reload()
    return str(container.id), container.attrs["State"]["StartedAt"]


# Gate.


def gate(declared: Declared, service_class: str = "core", deadline: float = 20) -> dict[str, Any]:
    return {
        "container": declared.name,
        "container_id": "1",
        "service_class": service_class,
        "declared": declared.plain(),
        "deadline": deadline,
    }


def opened(declared: Declared, service_class: str = "core") -> dict[str, Any]:
    made = GateProvider().create(gate(declared, service_class)).outs
    assert made
    return made


def reopened(declared: Declared, before: dict[str, Any]) -> None:
    """A plain update: the gate finds a difference, repairs it, and finds none afterwards."""
    provider = GateProvider()
    assert provider.diff(declared.name, before, gate(declared)).changes
    provider.update(declared.name, before, gate(declared))
    assert not provider.diff(declared.name, before, gate(declared)).changes


def test_a_gate_opens_when_the_container_is_healthy_and_has_its_limits(bench: Bench) -> None:
    declared = bench.declared("sleep 1; touch /tmp/ready; sleep 600", health="test -e /tmp/ready")
    bench.start(declared, pids_limit=None)
    assert observe(bench.client, declared.name).half_made
    made = opened(declared)
    assert observe(bench.client, declared.name).healthy
    assert bench.off(declared) == [], "the container is the declared one, and nothing else is off"
    assert not GateProvider().diff(declared.name, made, gate(declared)).changes, "the next look finds nothing to do"


def test_the_limit_of_processes_comes_before_the_wait(bench: Bench) -> None:
    """So a container without it has never been let through its gate."""
    declared = bench.declared(health=SICK)
    bench.start(declared, pids_limit=None)
    with pytest.raises(ProviderError, match="expected"):
        GateProvider().create(gate(declared, deadline=1))
    assert not observe(bench.client, declared.name).half_made


def test_a_container_that_exits_fails_within_seconds_and_shows_its_last_words(bench: Bench) -> None:
    declared = bench.declared("echo cannot open the vault; exit 7", health=SICK)
    bench.start(declared, restart_policy={"Name": "no"})
    begun = time.monotonic()
    with pytest.raises(ProviderError, match=r"exit code 7(.|\n)*cannot open the vault"):
        GateProvider().create(gate(declared, deadline=60))
    assert time.monotonic() - begun < 20, "not at its deadline"


def test_a_container_that_crashes_again_and_again_fails_within_seconds(bench: Bench) -> None:
    declared = bench.declared("echo out of luck; sleep 0.7; exit 9", health=SICK)
    bench.start(declared)
    begun = time.monotonic()
    with pytest.raises(ProviderError, match=r"restarted \d+ times(.|\n)*out of luck") as caught:
        GateProvider().create(gate(declared, deadline=60))
    assert "exit code 9" in str(caught.value)
    assert time.monotonic() - begun < 20, "not at its deadline"


def test_one_that_is_killed_for_its_memory_is_reported_as_that(bench: Bench) -> None:
    """The container outlives the killed process: containerd loses the event of one that ends at once (its #8893)."""
    command = "head -c 200m /dev/zero | tail >/dev/null; sleep 0.7; exit 1"
    declared = bench.declared(command, health=SICK, memory=16 * MEGABYTE)
    bench.start(declared)
    with pytest.raises(ProviderError, match="out of memory"):
        GateProvider().create(gate(declared, deadline=60))


def test_an_optional_service_that_fails_is_a_warning_that_stays(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = bench.declared("echo no telemetry today; exit 1", health=SICK)
    bench.start(declared)
    made = opened(declared, "optional")
    assert "exit code 1" in made["degraded"]
    assert "warning: optional service" in capsys.readouterr().out
    found = GateProvider().diff(declared.name, made, gate(declared, "optional"))
    assert found.changes, "told again at every update"


def test_a_container_that_never_gets_healthy_fails_at_its_deadline(bench: Bench) -> None:
    declared = bench.declared("echo still loading; sleep 600", health=SICK)
    bench.start(declared)
    with pytest.raises(ProviderError, match=r"expected (running and )?healthy(.|\n)*still loading"):
        GateProvider().create(gate(declared, deadline=3))


@pytest.mark.parametrize("harm", ["stop", "kill", "pause"])
def test_a_container_that_does_not_run_is_started_and_not_replaced(bench: Bench, harm: str) -> None:
    declared = bench.declared()
    container = bench.start(declared)
    made = opened(declared)
    getattr(container, harm)()
    reopened(declared, made)
    assert observe(bench.client, declared.name).healthy
    assert started(container)[0] == observe(bench.client, declared.name).id


def test_a_renamed_container_gets_its_name_back_and_runs_on(bench: Bench) -> None:
    declared = bench.declared(labels={**LABELS, "dive.service": "kas"})
    container = bench.start(declared)
    made, before = opened(declared), started(container)
    container.rename(f"{declared.name}-old")
    try:
        assert ProbeProvider().drift_reason(probe(declared)) is None, "it is not replaced"
        reopened(declared, made)
        assert (observe(bench.client, declared.name).healthy, started(container)) == (True, before)
    finally:
        container.remove(force=True, v=True)


def test_a_renamed_container_that_also_differs_is_replaced(bench: Bench) -> None:
    """Pulumi knows only the container that it made: one under another name would keep the ports."""
    declared = bench.declared(labels={**LABELS, "dive.service": "kas"})
    made = probed(declared)
    container = bench.start(declared, environment={})
    container.rename(f"{declared.name}-old")
    try:
        mended = ProbeProvider().update(declared.name, made, probe(declared)).outs
        assert mended
        assert mended["generation"] == 1
        with pytest.raises(NotFound):
            container.reload()
    finally:
        with suppress(NotFound):
            container.remove(force=True, v=True)


def test_an_unhealthy_container_is_restarted(bench: Bench) -> None:
    declared = bench.declared(f"touch /tmp/well; {SLEEP}", health="test -e /tmp/well")
    container = bench.start(declared)
    made = opened(declared)
    container.exec_run(["rm", "/tmp/well"])
    wait_for(lambda: observe(bench.client, declared.name).health == "unhealthy", within=20)
    before = started(container)
    reopened(declared, made)
    assert started(container)[0] == before[0]
    assert started(container)[1] != before[1]


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("memory", {"Memory": 32 * MEGABYTE, "MemorySwap": 64 * MEGABYTE}),
    ("processors", {"NanoCpus": 100_000_000}),
    ("limit of processes", {"PidsLimit": 20}),
    ("restart policy", {"RestartPolicy": {"Name": "no"}}),
]


@pytest.mark.parametrize(("key", "limits"), LIMITS, ids=[key for key, _ in LIMITS])
def test_a_limit_set_by_hand_is_set_back_while_the_container_runs(
    bench: Bench, key: str, limits: dict[str, Any]
) -> None:
    declared = bench.declared()
    container = bench.start(declared)
    made, before = opened(declared), started(container)
    api = bench.client.api
    assert api.post(f"{api.base_url}/v{api.api_version}/containers/{declared.name}/update", json=limits).ok
    assert key in bench.off(declared)
    assert ProbeProvider().drift_reason(probe(declared)) is None, "no reason for another container"
    reopened(declared, made)
    assert bench.off(declared) == []
    assert started(container) == before


def test_a_container_taken_off_its_network_or_put_on_another_is_set_right_while_it_runs(bench: Bench) -> None:
    declared = bench.declared()
    container = bench.start(declared)
    made, before = opened(declared), started(container)
    bench.client.networks.get(PREFIX).disconnect(container)
    bench.client.networks.get("bridge").connect(container)
    assert bench.off(declared) == ["networks"]
    reopened(declared, made)
    assert bench.off(declared) == []
    assert started(container) == before
    container.reload()
    assert {"service", "service.host"} <= set(container.attrs["NetworkSettings"]["Networks"][PREFIX]["Aliases"])


# Probe.


def probe(declared: Declared) -> dict[str, Any]:
    return {"container": declared.name, "declared": declared.plain()}


def probed(declared: Declared) -> dict[str, Any]:
    made = ProbeProvider().create(probe(declared)).outs
    assert made
    return made


def test_a_probe_replaces_a_container_that_is_gone(bench: Bench) -> None:
    declared = bench.declared()
    container, made = bench.start(declared), probed(declared)
    assert not ProbeProvider().diff(declared.name, made, probe(declared)).changes
    container.remove(force=True)
    assert ProbeProvider().diff(declared.name, made, probe(declared)).changes
    mended = ProbeProvider().update(declared.name, made, probe(declared)).outs
    assert mended
    assert mended["generation"] == made["generation"] + 1, "the container's replacement trigger"


BY_HAND: list[tuple[str, dict[str, Any]]] = [
    ("environment (EVIL, MODE)", {"environment": {"MODE": "unsafe", "EVIL": "1"}}),
    ("environment (MODE)", {"environment": {}}),
    ("command", {"command": ["sleep 600"]}),
    ("entrypoint", {"entrypoint": ["bash", "-c"]}),
    ("user", {"user": "0:0"}),
    ("host name", {"hostname": "elsewhere"}),
    ("health check", {"healthcheck": {"test": ["CMD", "true"]}}),
    ("labels", {"labels": {**LABELS, "dive.stack": "t-2"}}),
    ("read-only root", {"read_only": False}),
    ("folders in memory", {"tmpfs": {}}),
    ("mounts", {"volumes": {"/etc": {"bind": "/host", "mode": "rw"}}}),
    ("published ports", {"ports": {"6379/tcp": ("127.0.0.1", None)}}),
    ("privileged", {"privileged": True, "security_opt": ["no-new-privileges:true"]}),
    ("capabilities dropped", {"cap_drop": []}),
    ("capabilities added", {"cap_add": ["NET_ADMIN"]}),
    ("security options", {"security_opt": []}),
    ("devices", {"devices": ["/dev/null:/dev/harm:rwm"]}),
    ("process namespace", {"pid_mode": "host"}),
]


@pytest.mark.parametrize(("key", "other"), BY_HAND, ids=[key for key, _ in BY_HAND])
def test_a_probe_sees_a_container_that_was_recreated_by_hand(bench: Bench, key: str, other: dict[str, Any]) -> None:
    """Same name, same labels, same image, and one thing that is not as declared."""
    declared = bench.declared()
    bench.start(declared, **other)
    found = ProbeProvider().drift_reason(probe(declared)) or ""
    assert f"{key}: " in found
    assert "unsafe" not in found, "the value of a variable is not told"


def test_a_container_made_by_hand_gives_its_name_back_and_one_of_another_stack_does_not(bench: Bench) -> None:
    """Pulumi knows only the container that it made: any other would take the name of the new one."""
    declared = bench.declared()
    made = probed(declared)
    bench.start(declared, environment={})
    mended = ProbeProvider().update(declared.name, made, probe(declared)).outs
    assert mended
    assert mended["generation"] == 1
    assert not observe(bench.client, declared.name).exists
    bench.start(declared, labels={**LABELS, "dive.stack": "t-2"})
    with pytest.raises(ProviderError, match="is of stack t-2, not of t-1"):
        ProbeProvider().update(declared.name, made, probe(declared))
    assert observe(bench.client, declared.name).exists


def test_a_probe_sees_another_image(bench: Bench) -> None:
    declared = bench.declared()
    bench.start(declared)
    other = replace(declared, image="sha256:" + "0" * 64)
    assert "image: sha256:" in (ProbeProvider().drift_reason(probe(other)) or "")


def test_a_changed_declaration_alone_leaves_the_generation(bench: Bench) -> None:
    declared = bench.declared()
    bench.start(declared)
    made = probed(declared)
    changed = replace(declared, environment={"MODE": "other"})
    found = ProbeProvider().update(declared.name, made, probe(changed)).outs
    assert found
    assert found["generation"] == 0, "the container is replaced by its own changed inputs"


def test_what_a_dead_run_made_and_no_one_recorded_is_cleared_away(bench: Bench) -> None:
    """The container is there, its name taken, and Pulumi knows nothing of it."""
    declared = bench.declared()
    made = probed(declared)
    bench.start(declared, pids_limit=None)
    assert ProbeProvider().diff(declared.name, made, probe(declared)).changes
    mended = ProbeProvider().update(declared.name, made, probe(declared)).outs
    assert mended
    assert mended["generation"] == 1
    assert not observe(bench.client, declared.name).exists
    bench.start(declared, pids_limit=None)
    probed(declared)
    assert not observe(bench.client, declared.name).exists, "nor when the probe itself was not recorded"


def test_a_half_made_container_of_another_stack_is_refused_with_its_owner(bench: Bench) -> None:
    declared = bench.declared()
    bench.start(declared, pids_limit=None, labels={**LABELS, "dive.stack": "t-2"})
    with pytest.raises(ProviderError, match="is of stack t-2, not of t-1"):
        ProbeProvider().create(probe(declared))
    assert observe(bench.client, declared.name).exists


def test_an_engine_out_of_reach_is_not_taken_for_a_missing_container(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = bench.declared()
    bench.start(declared)
    made = probed(declared)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert not ProbeProvider().diff(declared.name, made, probe(declared)).changes
    assert "could not be checked, kept as it was" in capsys.readouterr().out


# Files.


@pytest.fixture
def written(bench: Bench) -> Iterator[tuple[Declared, dict[str, Any], dict[str, Any]]]:
    """A container's declaration, and the inputs and outputs of its files."""
    declared = bench.declared(mounts={FILES: f"{FILES_VOLUME}:ro"})
    inputs = {"volume": FILES_VOLUME, "owner": 999.0, "contents": CONTENTS, "declared": declared.plain()}
    made = FilesProvider().create(inputs).outs
    assert made
    yield declared, inputs, made
    with suppress(NotFound):
        bench.client.containers.get(declared.name).remove(force=True, v=True)
    FilesProvider().delete(FILES_VOLUME, made)


def test_files_arrive_with_their_owner_and_mode_and_go_with_their_volume(
    bench: Bench, written: tuple[Declared, dict[str, Any], dict[str, Any]]
) -> None:
    declared, inputs, made = written
    script = f"cd {FILES}; stat -c '%n %u:%g %a' . tls.key policies/base/authz.rego; cat tls.key"
    container = bench.start(replace(declared, command=(script,)), restart_policy={"Name": "no"})
    assert container.wait()["StatusCode"] == 0
    assert container.logs().decode().splitlines() == [
        ". 999:999 500",
        "tls.key 999:999 400",
        "policies/base/authz.rego 999:999 400",
        "secret",
    ]
    provider = FilesProvider()
    assert not provider.diff(FILES_VOLUME, made, inputs).changes
    assert files.digest(files.read(container)) == made["digest"]
    container.remove(v=True)
    provider.delete(FILES_VOLUME, made)
    assert provider.diff(FILES_VOLUME, made, inputs).changes, "a volume that is gone is written again"


HARMS = [
    ("echo forged > tls.key", "dive/tls.key changed"),
    ("rm -rf policies", "dive/policies missing"),
    ("echo 'allow := true' > policies/base/more.rego", "dive/policies/base/more.rego added"),
    ("chmod 644 tls.key", "dive/tls.key changed"),
    ("rm -rf ./*", "dive/tls.key missing"),
]


@pytest.mark.parametrize(("harm", "told"), HARMS, ids=[harm for harm, _ in HARMS])
def test_files_that_were_altered_are_written_again_and_their_container_is_replaced(
    bench: Bench, written: tuple[Declared, dict[str, Any], dict[str, Any]], harm: str, told: str
) -> None:
    declared, inputs, made = written
    provider = FilesProvider()
    container = bench.start(declared)
    volume = {FILES_VOLUME: {"bind": FILES, "mode": "rw"}}
    bench.client.containers.run(
        bench.image, [harm], entrypoint=["sh", "-c"], user="0", volumes=volume, working_dir=FILES, remove=True
    )
    assert told in (provider.drift_reason(made) or "")
    assert provider.diff(FILES_VOLUME, made, inputs).changes
    mended = provider.update(FILES_VOLUME, made, inputs).outs
    assert mended
    assert (mended["generation"], mended["digest"]) == (1, made["digest"])
    with pytest.raises(NotFound):
        container.reload()
    assert files.digest(files.read(bench.start(declared))) == made["digest"]
    assert provider.drift_reason(mended) is None


def test_another_declaration_of_the_container_leaves_its_files(
    bench: Bench, written: tuple[Declared, dict[str, Any], dict[str, Any]]
) -> None:
    declared, inputs, made = written
    container = bench.start(declared)
    before = started(container)
    other = inputs | {"declared": replace(declared, environment={"MODE": "other"}).plain()}
    found = FilesProvider().update(FILES_VOLUME, made, other).outs
    assert found
    assert found["generation"] == made["generation"]
    assert started(container) == before


def test_live_files_are_written_and_healed_while_the_container_runs_and_any_other_still_replaces_it(
    bench: Bench, written: tuple[Declared, dict[str, Any], dict[str, Any]]
) -> None:
    """Seen from inside: a new text is there whole, with owner and mode, and the container is the same."""
    declared, inputs, _ = written
    path, fixed, live = f"{FILES}/links.json", FilesProvider(), LiveFilesProvider()
    inputs = {**inputs, "contents": {**CONTENTS, path: LIVE}}
    made = fixed.create(inputs).outs
    wanted = {**inputs, "contents": {**CONTENTS, path: "{}"}, "live": [path], "generation": 0.0}
    before = live.create(wanted).outs
    assert made
    assert before
    container = bench.start(declared)
    born = started(container)
    assert files.digest(files.read(container)) == before["digest"]
    changed = {**wanted, "contents": {**CONTENTS, path: '{"countries": {}}'}}
    found = live.diff(FILES_VOLUME, before, changed)
    assert (found.changes, found.replaces) == (True, [])
    after = live.update(FILES_VOLUME, before, changed).outs
    assert after
    _, seen = container.exec_run(["sh", "-c", f"cat {path}; stat -c ' %u:%g %a' {path}"])
    assert seen.decode().strip() == '{"countries": {}} 999:999 400'
    assert files.digest(files.read(container)) == after["digest"] != before["digest"]
    assert not fixed.diff(FILES_VOLUME, made, inputs).changes
    volume = {FILES_VOLUME: {"bind": FILES, "mode": "rw"}}

    def harm(script: str) -> None:
        bench.client.containers.run(
            bench.image, [script], entrypoint=["sh", "-c"], user="0", volumes=volume, working_dir=FILES, remove=True
        )

    harm("echo forged > links.json")
    assert live.drift_reason(after) == "dive/links.json changed"
    assert fixed.drift_reason(made) is None
    live.update(FILES_VOLUME, after, changed)
    assert files.digest(files.read(container)) == after["digest"]
    assert started(container) == born
    harm("echo forged > tls.key")
    assert fixed.drift_reason(made) == "dive/tls.key changed"
    assert live.drift_reason(after) is None


def test_postgres_and_its_image_say_which_major_version_they_are(record: Record) -> None:
    """As the probe compares them before it lets a container be replaced."""
    there = DockerEngine.connect()
    name, image = str(record.container.name), str(record.container.attrs["Image"])
    folder = dict(pair.split("=", 1) for pair in record.container.attrs["Config"]["Env"])["PGDATA"]
    assert there.image_environment(image)["PG_MAJOR"] == there.read_file(name, f"{folder}/PG_VERSION").strip()
    assert there.image_environment(f"sha256:{'0' * 64}") == {}
    there.close()
