"""Faults of the deployment: remains of dead runs, foreign objects in the way, the hub, and several at once."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from dive_infra.checks import redis
from dive_infra.orchestration.access import DATABASE
from dive_infra.orchestration.states import Phase
from dive_infra.seeds.store import connect
from tests.coalition.country import Country, begun
from tests.coalition.live import documents, keycloak, specification
from tests.faults import engine
from tests.faults.case import Case
from tests.faults.databases import superuser
from tests.faults.fault import Scene

_BEGINS = 240  # seconds until an update starts to change what it should

Harm = Callable[[Scene], object]


def _all(*harms: Harm) -> Harm:
    def harm(scene: Scene) -> None:
        for one in harms:
            one(scene)

    return harm


def _stop(service: str, at: str = "") -> Harm:
    return lambda s: s.at(at or s.hurt.code).container(service).stop()


def _remove(service: str, at: str = "") -> Harm:
    return lambda s: s.at(at or s.hurt.code).container(service).remove(force=True)


def _document(scene: Scene) -> None:
    with connect(documents(scene.hurt)) as database:
        database["resources"].delete_one({"_id": f"doc-{scene.hurt.stack}-000007"})


def _identity_provider(scene: Scene) -> None:
    """Cut the link at France: people of the hub can no longer log in there."""
    with keycloak(scene.hurt) as admin:
        admin.delete(f"/realms/{scene.hurt.names.realm}/identity-provider/instances/usa-idp")


def _record(statement: str) -> Harm:
    def harm(scene: Scene) -> None:
        with superuser(scene.hurt, DATABASE) as live:
            live.execute(statement.encode())

    return harm


# What a run leaves in Pulumi.


def _locks(country: Country) -> Path:
    return country.home / "state" / ".pulumi" / "locks" / "organization" / "dive" / country.stack


def _lock(country: Country, pid: int, host: str) -> None:
    """Write a lock as Pulumi does."""
    _locks(country).mkdir(parents=True, exist_ok=True)
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    held = {"pid": pid, "username": "anne", "hostname": host, "timestamp": since}
    (_locks(country) / f"{uuid4()}.json").write_text(json.dumps(held))


def _dead(scene: Scene) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _lock(scene.hurt, ended.pid, socket.gethostname())


def _alive(scene: Scene) -> None:
    _lock(scene.hurt, os.getpid(), socket.gethostname())


def _elsewhere(scene: Scene) -> None:
    _lock(scene.hurt, 4711, "elsewhere")


def _unlocked(scene: Scene) -> None:
    shutil.rmtree(_locks(scene.hurt))


def _pending(scene: Scene) -> None:
    """Write a pending create into the state file; an import would drop it."""
    file = scene.hurt.home / "state" / ".pulumi" / "stacks" / "dive" / f"{scene.hurt.stack}.json"
    state = json.loads(file.read_text())
    latest = state["checkpoint"]["latest"]
    (made,) = [r for r in latest["resources"] if r["urn"].endswith("::opa-container")]
    latest["pending_operations"] = [{"resource": made, "type": "creating"}]
    file.write_text(json.dumps(state))


def _killed_at(name: str) -> Harm:
    """Kill an update with SIGKILL while it changes the resource."""

    def harm(scene: Scene) -> None:
        events = scene.hurt.home / "killed.log"
        runner = scene.hurt.runner
        command = runner.command("up", "--yes", "--skip-preview", "--json")
        with events.open("w") as out:
            running = subprocess.Popen(command, cwd=runner.folder, env=runner.environment, stdout=out, stderr=out)
            ends = time.monotonic() + _BEGINS
            while not any(name in begun(line) for line in events.read_text().rpartition("\n")[0].splitlines()):
                assert running.poll() is None, events.read_text()[-3000:]
                assert time.monotonic() < ends, f"{name} was never changed"
                time.sleep(0.05)
            running.send_signal(signal.SIGKILL)
            running.wait()

    return harm


# What others put in the way.


def _stranger(scene: Scene, name: str, port: int = 0) -> None:
    """Start a container that is not ours."""
    image = scene.container("redis").image.id
    ports = {f"{port}/tcp": (scene.hurt.names.published, port)} if port else None
    scene.engine.containers.run(
        image, ["-c", "sleep 3600"], entrypoint=["sh"], name=name, ports=ports, detach=True, labels={"of": "a stranger"}
    )


def _our_name(scene: Scene) -> None:
    _remove("opa")(scene)
    _stranger(scene, scene.hurt.names.container("opa"))


def _our_port(scene: Scene) -> None:
    _stop("kas")(scene)
    _stranger(scene, f"{scene.hurt.names.prefix}-stranger", scene.hurt.names.port("kas"))


def _gone(name: str) -> Harm:
    return lambda s: s.engine.containers.get(f"{s.hurt.names.prefix}-{name}").remove(force=True)


_LISTENER: dict[str, "subprocess.Popen[bytes]"] = {}


def _program(scene: Scene) -> None:
    """Stop the portal, and listen at its port."""
    _stop("frontend")(scene)
    address, port = scene.hurt.names.published, scene.hurt.names.port("frontend")
    _LISTENER["it"] = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", address])
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with socket.socket() as there:
            if there.connect_ex((address, port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens at {port}")


def _program_ends(_: Scene) -> None:
    running = _LISTENER.pop("it")
    running.terminate()
    running.wait()


def _without_hub(scene: Scene) -> Mapping[str, str]:
    """Return variables of an operator who has the spoke's state alone."""
    alone = scene.fra.home / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(scene.fra.home / "state", alone)
    for path in (alone / ".pulumi" / "stacks" / "dive").glob("usa.*"):
        path.unlink()
    return {"PULUMI_BACKEND_URL": alone.as_uri()}


def _backdoor(scene: Scene) -> None:
    """Add a user with every right to Redis, and stop it from saving."""
    spec = specification(scene.hurt, Phase.DEPLOYMENT)
    with redis.login(scene.hurt.names, spec.redis, spec.ca) as client:
        client.execute_command("ACL", "SETUSER", "backdoor", "on", "nopass", "~*", "&*", "+@all")
        client.config_set("save", "")


def _nothing(_: Scene) -> None:
    """Damage nothing: only the environment is wrong."""


_EVERY = frozenset({"postgres", "mongodb", "redis", "keycloak", "opa", "opal-client", "backend", "kas", "frontend"})
_REDIS = frozenset({"redis"})

CASES: tuple[Case, ...] = (
    # What dead runs leave.
    Case("a dead run has left Pulumi's lock", _dead),
    Case("a dead run has left Pulumi's lock at the hub", _dead, at="USA", call="USA"),
    Case("a create is pending", _pending),
    Case(
        "an update is killed while it starts a container",
        _all(_stop("opa"), _killed_at("opa-gate")),
        touched=frozenset({"opa"}),
    ),
    Case("an update is killed while it seeds", _all(_document, _killed_at("seed"))),
    Case(
        "a dead run has left its lock, and a container is gone",
        _all(_remove("opal-client"), _dead),
        touched=frozenset({"opal-client"}),
    ),
    Case(
        "the record says that it failed",
        _record("UPDATE deployment_states SET state = 'FAILED' WHERE instance_code = 'fra'"),
    ),
    Case(
        "the record says that it was left in the middle",
        _record("UPDATE deployment_states SET state = 'CONFIGURING' WHERE instance_code = 'fra'"),
    ),
    Case(
        "a login over the link is not in the record",
        _record("DELETE FROM federation_links WHERE source_code = 'fra' AND target_code = 'usa'"),
    ),
    # What is in memory only: no update restores it, a restart does.
    Case("Redis has another user and another setting", _backdoor, restarts=_REDIS, touched=_REDIS),
    # What is the hub's, called at the spoke.
    Case("the hub's backend is stopped", _stop("backend", "USA"), at="USA", touched=frozenset({"backend"})),
    Case("the hub's Keycloak is stopped", _stop("keycloak", "USA"), at="USA", touched=frozenset({"keycloak"})),
    Case(
        "the hub's Postgres is stopped", _stop("postgres", "USA"), at="USA", touched=frozenset({"postgres", "keycloak"})
    ),
    Case(
        "the hub's Postgres is stopped, and OPA of France",
        _all(_stop("postgres", "USA"), _stop("opa")),
        touched=frozenset({"opa", "opal-client", "postgres", "keycloak"}),
    ),
    Case("the hub's backend is removed", _remove("backend", "USA"), at="USA", touched=frozenset({"backend"})),
    # Several at once.
    Case(
        "three containers are stopped and one is removed",
        _all(_stop("kas"), _stop("mongodb"), _stop("frontend"), _remove("opa")),
        touched=frozenset({"kas", "mongodb", "frontend", "opa", "backend"}),
    ),
    Case("everything is stopped", _all(*map(_stop, sorted(_EVERY))), touched=_EVERY),
    Case(
        "the backend is stopped, and the identity provider deleted",
        _all(_identity_provider, _stop("backend")),
        touched=frozenset({"backend"}),
    ),
    Case(
        "the identity provider is deleted, and then Keycloak stopped",
        _all(_identity_provider, _stop("keycloak")),
        touched=frozenset({"keycloak"}),
    ),
    Case(
        "the network is removed, a document too, and a dead lock is left",
        _all(_document, engine.network_lost, _dead),
        touched=_EVERY,
    ),
    # What a person must decide.
    Case(
        "a run that lives holds Pulumi's lock",
        _alive,
        by_hand="next: wait for it to end, then: ./dive repair FRA",
        exit=3,
        undo=_unlocked,
        damages=False,
    ),
    Case(
        "a run on another machine holds Pulumi's lock",
        _elsewhere,
        by_hand="pulumi cancel -s fra --yes",
        exit=3,
        undo=lambda s: s.hurt.runner.ask("cancel", "--yes"),
        damages=False,
    ),
    Case(
        "a stranger's container has our name",
        _our_name,
        by_hand="docker container rm -f {prefix}-opa",
        undo=_gone("opa"),
        touched=frozenset({"opa"}),
    ),
    Case(
        "a stranger's container has our name, the backend is stopped, and the identity provider deleted",
        _all(_identity_provider, _stop("backend"), _our_name),
        by_hand="docker container rm -f {prefix}-opa",
        undo=_gone("opa"),
        touched=frozenset({"opa", "backend"}),
        selected=True,
    ),
    Case(
        "a stranger's container has our port",
        _our_port,
        by_hand="end these programs, or choose other ports: pulumi config set --path dive:ports.kas <port>",
        undo=_gone("stranger"),
        touched=frozenset({"kas"}),
    ),
    Case(
        "a program has our port",
        _program,
        by_hand="end these programs, or choose other ports: pulumi config set --path dive:ports.frontend <port>",
        undo=_program_ends,
        touched=frozenset({"frontend"}),
    ),
    Case(
        "the passphrase is another one",
        _nothing,
        environment=lambda _: {"PULUMI_CONFIG_PASSPHRASE": "another"},
        by_hand="set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one",
        exit=2,
        damages=False,
    ),
    Case(
        "the engine cannot be asked",
        _nothing,
        environment=lambda _: {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
        by_hand="set DOCKER_HOST",
        exit=2,
        damages=False,
    ),
    Case(
        "the hub's backend is stopped, and the hub's state is somebody else's",
        _stop("backend", "USA"),
        at="USA",
        environment=_without_hub,
        by_hand="the operator of USA: ./dive repair USA; then: ./dive repair FRA",
        touched=frozenset({"backend"}),
    ),
)
