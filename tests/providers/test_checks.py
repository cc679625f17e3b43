"""Each validator against real things: green when they are well, red when one of them is damaged."""

import random
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import date
from typing import Any

import psutil
import pytest
from docker.errors import NotFound
from docker.models.containers import Container as Running
from psycopg import Connection
from psycopg.errors import CantChangeRuntimeParam
from pymongo.errors import OperationFailure
from redis.exceptions import ResponseError

from dive_infra.catalog import datastores, policy
from dive_infra.catalog.datastores import ROOT_USER
from dive_infra.catalog.spec import FILES, HealthCheck, ServiceClass
from dive_infra.checks import (
    deployment,
    initialization,
    link_networks,
    mongodb,
    objects,
    policy_engine,
    postgres,
    preflight,
    redis,
    runner,
    seeding,
    verification,
)
from dive_infra.checks.phases import checks
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import (
    ConfigurationSpec,
    ContainerSpec,
    DatabaseSpec,
    DeploymentSpec,
    InitializationSpec,
    PreflightSpec,
    SeedingSpec,
    Spec,
)
from dive_infra.clients.mongodb import Client
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto.pki import public_key, rsa_key
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import files
from dive_infra.engines.docker.containers import await_healthy, observe
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess, NotAdmitting, Unreachable
from dive_infra.results.finding import Finding
from dive_infra.seeds.batches import batches
from dive_infra.seeds.loader import Loader
from dive_infra.seeds.store import SeedStoreAccess, connect
from tests.support import postgres_mutations
from tests.support.by_hand import create
from tests.support.record import FORMER, HUB_NAMES, SECRETS, Book, Record
from tests.support.waiting import wait_for

FRANCE = HUB_NAMES.of(COUNTRIES["FRA"])
MEGABYTE = 1024 * 1024
STACK = {"dive.stack": "fra"}
DEPLOYED = DeploymentSpec(FRANCE, (), (), "", "", "")


@pytest.fixture(scope="module")
def services(record: Record) -> Record:
    """The hub's Postgres, with what else DEPLOYMENT asks."""
    for make in (datastores.redis, datastores.mongodb, policy.opa):
        record.lab.start(make(HUB_NAMES, HUB_NAMES))
    return record


def validate(spec: Spec, deadline: float) -> Validation:
    return runner.run(checks(spec), deadline)


CONTENTS = {f"{FILES}/token": "t"}


@contextmanager
def container(
    record: Record, service: str, health: str = "true", service_class: ServiceClass = "core", **other: Any
) -> Iterator[tuple[Running, ContainerSpec]]:
    """A container of France that sleeps, with a file, and its declaration; `other` is what is not as declared."""
    engine, port = record.lab.engine, FRANCE.port(service)
    volume = FRANCE.files_volume(service)
    labels = FRANCE.labels(service, service_class) | STACK
    image = record.container.attrs["Image"]
    packed = files.pack(CONTENTS, 999)
    written = engine.volumes.create(volume, labels=labels)
    with files.carrier(engine, volume, image, labels) as carrier:
        carrier.put_archive("/", packed)
    declared = Declared(
        FRANCE.container(service),
        "999:999",
        HealthCheck(("sh", "-c", health), interval=1, timeout=1, retries=1, start_period=0),
        image,
        ("sleep",),
        ("600",),
        {"MODE": "real"},
        memory=MEGABYTE * 64,
        cpus=1,
        processes=50,
        ports=(port,),
        mounts={FILES: f"{volume}:ro"},
        networks={HUB_NAMES.network: (service,)},
        labels=labels,
    )
    running = create(engine, declared, **{"pids_limit": 50, **other})
    try:
        running.start()
        ends = time.monotonic() + 20
        while observe(engine, declared.name).health == "starting" and time.monotonic() < ends:
            time.sleep(0.1)
        yield running, ContainerSpec(service, service_class, declared, files.digest(files.manifest(packed)))
    finally:
        with suppress(NotFound):
            engine.containers.get(declared.name).remove(force=True, v=True)
        written.remove()


@contextmanager
def listening(port: int) -> Iterator[None]:
    with closing(socket.create_server((LOOPBACK, port))):
        yield


# PREFLIGHT


def test_free_ports_are_green_and_all_taken_ones_are_reported_at_once_with_their_programs(record: Record) -> None:
    me = f"{psutil.Process().name()} (pid {psutil.Process().pid})"
    services = ("keycloak", "backend", "frontend")
    assert preflight.ports(FRANCE, services) == "3 ports"
    with listening(FRANCE.port("keycloak")), listening(FRANCE.port("frontend")), pytest.raises(CheckFailed) as caught:
        preflight.ports(FRANCE, services)
    assert f"{FRANCE.port('keycloak')} (keycloak) by {me}" in caught.value.found
    assert f"{FRANCE.port('frontend')} (frontend) by {me}" in caught.value.found
    assert "dive:ports." in str(caught.value.remedy)


def test_our_own_container_is_no_conflict_and_another_one_is_named(record: Record) -> None:
    port = FRANCE.port("kas")
    with container(record, "kas"):
        assert preflight.ports(FRANCE, ("kas",)) == "1 ports"
        other = Names(COUNTRIES["DEU"], HUB_NAMES.namespace, ports={"DEU": {"kas": port}})
        with pytest.raises(CheckFailed, match=f"{port} \\(kas\\) by container t-record-fra-kas"):
            preflight.ports(other, ("kas",))


def test_our_own_container_is_no_conflict_between_two_lives(record: Record) -> None:
    """It crashes again and again; the engine holds its port, and lists it only while it runs."""
    with container(record, "kas", command=["0.2"]):
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            assert preflight.ports(FRANCE, ("kas",)) == "1 ports"


def test_another_stack_and_a_stranger_with_our_name_are_reported(record: Record) -> None:
    with container(record, "kas"):
        assert preflight.owners(FRANCE, "fra", ("kas",)) == "2 objects, all of this stack"
        with pytest.raises(CheckFailed, match="container t-record-fra-kas of stack fra"):
            preflight.owners(FRANCE, "france-2", ("kas",))
    stranger = record.lab.engine.volumes.create(FRANCE.data_volume("kas"))
    try:
        with pytest.raises(CheckFailed, match=r"volume t-record-fra-kas-data of stack \(none\)"):
            preflight.owners(FRANCE, "fra", ("kas",))
    finally:
        stranger.remove()


def test_a_network_made_by_hand_is_ours_only_while_our_containers_alone_use_it(record: Record) -> None:
    network = record.lab.engine.networks.create(FRANCE.network)
    try:
        with pytest.raises(CheckFailed, match=rf"network {FRANCE.network} of stack \(none\)"):
            preflight.owners(FRANCE, "fra", ("kas",))
        with container(record, "kas") as (running, _):
            network.connect(running)
            assert preflight.owners(FRANCE, "fra", ("kas",)) == "2 objects, all of this stack"
            with pytest.raises(CheckFailed, match="network"):
                preflight.owners(FRANCE, "france-2", ("kas",))
    finally:
        network.remove()


def test_what_carries_our_mark_and_is_not_declared_is_shown_and_decides_nothing(record: Record) -> None:
    spec = PreflightSpec(FRANCE, "fra", ("kas",))

    def orphaned() -> Finding:
        (found,) = [f for f in validate(spec, 10).findings if f.topic == "orphaned objects"]
        return found

    with container(record, "kas"):
        assert orphaned().verdict == "valid"
        with container(record, "redis"):
            found = orphaned()
            assert (found.verdict, found.advisory) == ("invalid", True)
            for told in ("container t-record-fra-redis", "volume t-record-fra-redis-files"):
                assert told in found.found
            assert "docker container rm t-record-fra-redis" in str(found.remedy)


def test_an_engine_elsewhere_that_publishes_on_its_own_loopback_is_refused_and_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert preflight.endpoint(LOOPBACK).startswith("unix:")
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2376")
    with pytest.raises(CheckFailed, match=r"tcp://engine\.example:2376") as caught:
        preflight.endpoint(LOOPBACK)
    assert caught.value.final


def test_the_engine_says_whether_it_has_address_ranges_for_networks(record: Record) -> None:
    assert preflight.address_ranges(FRANCE) in ("none needed", "1 free")


def test_the_engine_has_memory_and_disk_or_the_finding_names_how_much(record: Record) -> None:
    assert "GiB" in preflight.memory(0.1)
    assert "free" in preflight.disk(0.01)
    with pytest.raises(CheckFailed, match="GiB"):
        preflight.memory(10_000)
    with pytest.raises(CheckFailed, match="GiB free below"):
        preflight.disk(10_000_000)


def test_an_engine_that_does_not_answer_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    spec = PreflightSpec(FRANCE, "fra", ("kas",))
    validation = validate(spec, 2)
    assert validation.verdict == "unknown"
    assert {f.verdict for f in validation.findings if f.topic in ("engine", "disk", "ports", "stack")} == {"unknown"}


def test_a_hub_that_is_down_is_reported_with_the_command(record: Record) -> None:
    with pytest.raises(CheckFailed) as caught:
        preflight.hub_healthy(HUB_NAMES, record.lab.material.ca)
    assert HUB_NAMES.url("backend") in caught.value.found
    assert str(caught.value.remedy) == "pulumi up -s usa"


# INITIALIZATION


@contextmanager
def stranger(record: Record, network: str) -> Iterator[str]:
    """A running container of no one on a network."""
    name = f"{FRANCE.namespace}-stranger"
    running = record.lab.engine.containers.run(
        record.container.attrs["Image"], ["600"], entrypoint=["sleep"], name=name, network=network, detach=True
    )
    try:
        yield name
    finally:
        running.remove(force=True)


def test_networks_volumes_and_images_are_proven_by_looking(record: Record) -> None:
    labels = FRANCE.labels("network", "core") | STACK
    spec = InitializationSpec(
        FRANCE,
        "fra",
        (FRANCE.network,),
        (FRANCE.data_volume("redis"),),
        (record.container.attrs["Image"],),
        record.lab.material.ca,
        days=0,
    )
    with ExitStack() as undo:
        engine = record.lab.engine
        undo.callback(engine.networks.create(FRANCE.network, labels=labels).remove)
        volume = engine.volumes.create(FRANCE.data_volume("redis"), labels=labels)
        assert validate(spec, 5).verdict == "valid"
        with container(record, "kas", labels={}) as (renamed, _), stranger(record, FRANCE.network) as name:
            engine.networks.get(FRANCE.network).connect(renamed)  # ours by its name, without its labels
            [foreign] = [f for f in validate(spec, 5).findings if f.verdict == "invalid"]
            assert foreign.undeclared
            assert name in foreign.found
            engine.containers.get(name).stop(timeout=0)
            assert validate(spec, 5).verdict == "valid", "one that is stopped is not seen"
            engine.containers.get(name).start()
            subprocess.run(str(foreign.remedy), shell=True, check=True, timeout=30)
            assert validate(spec, 5).verdict == "valid"
        volume.remove()
        lost = [f for f in validate(spec, 5).findings if f.verdict == "invalid"]
        assert [f.topic for f in lost] == ["volumes"]
        assert "restore it: docker volume create" in str(lost[0].remedy)
    assert "accept the loss, in this one run: DIVE_ACCEPT_LOSS=t-record-fra-redis-data pulumi up" in str(lost[0].remedy)
    gone = [f.topic for f in validate(spec, 5).findings if f.verdict == "invalid"]
    assert gone == ["networks", "volumes"]
    with pytest.raises(CheckFailed, match="sha256:0000"):
        initialization.images((f"sha256:{'0' * 64}",))


# DEPLOYMENT


def test_a_stranger_on_the_network_of_a_link_is_named_with_the_command_that_takes_it_off(record: Record) -> None:
    link, alias = FRANCE.link_network(HUB_NAMES), FRANCE.host("kas")
    there = DockerEngine.connect()
    with container(record, "kas") as (_, wanted), ExitStack() as undo:
        undo.callback(there.leave, wanted.declared.name, link)
        spec = replace(DEPLOYED, containers=(wanted,), links={link: {wanted.declared.name: alias}})
        [missing] = link_networks.findings(spec)
        assert missing.found == f"{wanted.declared.name}: the network does not exist"
        there.join(wanted.declared.name, link, alias, {"dive.namespace": FRANCE.namespace})
        [valid] = link_networks.findings(spec)
        assert valid.verdict == "valid"
        with stranger(record, link) as name:
            [foreign] = link_networks.findings(spec)
            assert name in foreign.found
            subprocess.run(str(foreign.remedy), shell=True, check=True, timeout=30)
            [valid] = link_networks.findings(spec)
            assert valid.verdict == "valid"
    there.close()


def answer(container: ContainerSpec) -> tuple[str, str]:
    (finding,) = deployment.containers([container])
    return finding.verdict, finding.found


def test_a_container_is_valid_only_while_it_runs_healthy_as_declared(record: Record) -> None:
    with container(record, "kas") as (running, wanted):
        assert answer(wanted) == ("valid", "running, healthy")
        other = replace(wanted.declared, environment={"MODE": "other"})
        assert answer(replace(wanted, declared=other)) == ("invalid", "environment (MODE): changed")
        assert answer(replace(wanted, declared=replace(wanted.declared, image="sha256:other")))[0] == "invalid"
        assert answer(replace(wanted, files="f2")) == ("invalid", "other files in /etc/dive")
        assert answer(replace(wanted, declared=other, files="f2")) == (
            "invalid",
            "environment (MODE): changed; other files in /etc/dive",
        )
        running.stop(timeout=0)
        assert answer(wanted) == ("invalid", observe(record.lab.engine, wanted.declared.name).describe())
    assert answer(wanted) == ("invalid", "no such container")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"environment": {"MODE": "unsafe"}}, "environment (MODE): changed"),
        ({"privileged": True}, "privileged: True"),
        ({"pids_limit": None}, "limit of processes: none"),
        ({"volumes": {}}, "mounts: none; other files in /etc/dive"),
    ],
)
def test_a_container_made_by_hand_is_red_though_it_is_healthy(record: Record, other: dict[str, Any], told: str) -> None:
    with container(record, "kas", **other) as (_, wanted):
        red, found = answer(wanted)
        assert red == "invalid"
        assert told in found
        assert "unsafe" not in found


def test_a_container_off_its_network_is_red(record: Record) -> None:
    with container(record, "kas") as (running, wanted):
        record.lab.engine.networks.get(HUB_NAMES.network).disconnect(running)
        assert answer(wanted) == ("invalid", "networks: none")


@pytest.mark.parametrize("harm", ["echo forged > token", "rm token", "touch more"])
def test_files_altered_behind_a_container_are_red(record: Record, harm: str) -> None:
    with container(record, "kas") as (_, wanted):
        volume = {FRANCE.files_volume("kas"): {"bind": FILES, "mode": "rw"}}
        record.lab.engine.containers.run(
            wanted.declared.image,
            ["-c", harm],
            entrypoint=["sh"],
            user="0",
            volumes=volume,
            working_dir=FILES,
            remove=True,
        )
        assert answer(wanted) == ("invalid", "other files in /etc/dive")


def test_an_unhealthy_container_is_red_though_it_runs_and_a_paused_one_too(record: Record) -> None:
    with container(record, "kas", health="false") as (_, wanted):
        assert answer(wanted) == ("invalid", "running, unhealthy")
    with container(record, "kas") as (running, wanted):
        running.pause()
        assert answer(wanted) == ("invalid", "paused")


def test_the_core_services_decide_and_the_optional_ones_are_reported(record: Record) -> None:
    """Not a count of names: with the optional one down the phase is valid, with the core one down it is not."""
    with container(record, "kas") as (core, one), container(record, "redis", service_class="optional") as (extra, two):

        def verdict() -> str:
            return runner.run(
                [Check("containers", "containers", lambda: deployment.containers([one, two]))], 10
            ).verdict

        assert verdict() == "valid"
        extra.stop(timeout=0)
        assert verdict() == "valid"
        (warning,) = deployment.containers([two])
        assert (warning.verdict, warning.advisory) == ("invalid", True)
        core.stop(timeout=0)
        assert verdict() == "invalid"


def test_every_datastore_answers_a_login_and_refuses_another(services: Record, orchestration: Book) -> None:
    ca = services.lab.material.ca
    spec = DeploymentSpec(
        HUB_NAMES,
        (),
        (DatabaseSpec(orchestration.owner.database, "orchestration", SECRETS["orchestration-db"]),),
        SECRETS["mongodb"],
        SECRETS["redis"],
        SECRETS["opa-read"],
        ca,
        orchestration.owner,
    )
    validation = validate(spec, 10)
    # The server has roles and databases of other tests as well.
    off = {f.check: f for f in validation.findings if f.verdict != "valid" and f.topic != "postgres"}
    # No backend runs here that distributes policies, so this OPA cannot decide; and no container is declared.
    assert {check: f.verdict for check, f in off.items()} == {
        "every declared container runs and is healthy": "unknown",
        policy_engine.POLICIES: "invalid",
        policy_engine.DATA: "unknown",
    }
    assert off[policy_engine.POLICIES].found.startswith("authz.rego missing, checks/attributes.rego missing")
    assert str(off[policy_engine.POLICIES].remedy) == "pulumi up -s usa (the hub distributes again)"
    topics = {f.topic for f in validation.findings}
    assert topics == {"containers", "link networks", "mongodb", "redis", "opa", "policies", "postgres", "schema"}
    wrong = replace(spec, mongodb="x", redis="x", opa="x", databases=(replace(spec.databases[0], password="x"),))
    red = {f.topic: f for f in validate(wrong, 10).findings if f.verdict == "invalid"}
    assert set(red) == {"mongodb", "redis", "opa", "postgres"}
    assert "x" not in {f.found for f in red.values()}
    elsewhere = replace(spec, names=FRANCE)
    assert {f.topic for f in validate(elsewhere, 10).findings if f.verdict == "invalid"} == set(red)


def test_a_superuser_or_a_stranger_is_no_ordinary_role(services: Record, orchestration: Book) -> None:
    ca = services.lab.material.ca
    name = orchestration.owner.database
    with pytest.raises(CheckFailed, match="superuser True"):
        deployment.postgres(HUB_NAMES, DatabaseSpec(name, "postgres", SECRETS["postgres-superuser"]), ca)
    orchestration.sql(f"GRANT CONNECT ON DATABASE {name} TO {FORMER}")
    with pytest.raises(CheckFailed, match="owner orchestration"):
        deployment.postgres(HUB_NAMES, DatabaseSpec(name, FORMER, SECRETS["orchestration-db"]), ca)


HELD = (DatabaseSpec("held", "orchestration", SECRETS["orchestration-db"]),)


@pytest.fixture(scope="module")
def held(record: Record) -> Iterator[Record]:
    """The server with one declared database beside those that it ships with."""
    with record.superuser() as root:
        root.execute("CREATE DATABASE held OWNER orchestration TEMPLATE template0")
        root.execute("REVOKE ALL ON DATABASE held FROM PUBLIC")  # as `dynamic.database_logins` does
    yield record
    with record.superuser() as root:
        root.execute("DROP DATABASE held WITH (FORCE)")


def off(record: Record) -> dict[str, Finding]:
    """What Postgres holds beside the declaration, and what it lacks; the names of findings."""
    found = postgres.holds(HUB_NAMES, HELD, record.lab.material.ca)
    return {f.subject: f for f in found if f.verdict != "valid"}


def apply(record: Record, *statements: str) -> None:
    with record.superuser() as root:
        for statement in statements:
            root.execute(statement.encode())


def settled(record: Record, subject: str | None) -> dict[str, Finding]:
    """A reload is carried out a moment after it was asked for."""
    ends = time.monotonic() + 5
    while (found := off(record)).keys() != ({subject} if subject else set()) and time.monotonic() < ends:
        time.sleep(0.05)
    return found


def test_postgres_holds_what_is_declared_and_is_asked_within_a_second(held: Record) -> None:
    began = time.monotonic()
    assert off(held) == {}
    assert time.monotonic() - began < 1


_SAMPLE = 120


def test_every_setting_and_every_attribute_of_a_role_that_someone_changes_is_red(
    held: Record, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sample of all that Postgres shows, by the day; all of it with `--whole`."""
    whole, engine = bool(pytestconfig.getoption("whole")), objects.connect()
    inside = {("extension", f"plpgsql of {name}", ""): "there" for name in ("held", "postgres")}  # not changed here
    seen, unseen, untried = Counter[str](), [], []
    with held.superuser() as root:

        def red() -> set[str]:
            found = postgres.findings(postgres.content(root) | inside, engine, HUB_NAMES, HELD)
            return {f.subject for f in found if f.verdict != "valid"}

        everything = [*postgres_mutations.settings(root), *postgres_mutations.attributes(root)]
        seed = date.today().toordinal()
        chosen = everything if whole else random.Random(seed).sample(everything, _SAMPLE)
        assert red() == set()
        began = time.monotonic()
        for mutation in chosen:
            try:
                refusal = mutation.apply(root)
            except CantChangeRuntimeParam:  # not in this way
                continue
            if refusal:
                untried.append(f"{mutation.name}: {refusal}")
                continue
            try:
                if mutation.subject in red():
                    seen[mutation.kind] += 1
                else:
                    unseen.append(mutation.name)
            finally:
                root.execute(mutation.undo)
        took = time.monotonic() - began
    with capsys.disabled():
        total = seen.total() + len(unseen)
        print(f"\nPostgres: {seen.total()} of {total} changed values seen, of {len(everything)}; {len(untried)} not")
        print(f"changed: {untried}; {took:.0f} s; seed {seed}; {dict(seen)}")
    assert unseen == []
    assert off(held) == {}
    assert seen.total() > len(chosen) / 2
    if whole:
        assert len(untried) <= 0.02 * (len(untried) + seen.total())


RESTORED = {
    "role pg_monitor": "UPDATE pg_authid SET rolcanlogin = true, rolsuper = true WHERE rolname = 'pg_monitor'",
    "role postgres": "ALTER ROLE postgres CONNECTION LIMIT 50 VALID UNTIL '2040-01-01'",
    "membership pg_monitor in pg_read_all_stats": "GRANT pg_read_all_stats TO pg_monitor WITH ADMIN OPTION",
    "membership pg_monitor in pg_read_all_settings": "REVOKE pg_read_all_settings FROM pg_monitor",
}


@pytest.mark.parametrize("subject", RESTORED)
def test_what_postgres_ships_is_red_when_someone_changes_it_and_its_command_restores_it(
    held: Record, subject: str
) -> None:
    apply(held, RESTORED[subject])
    [(found, finding)] = off(held).items()
    assert found == subject
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


def test_a_role_of_ours_that_someone_changes_needs_a_refresh(held: Record) -> None:
    apply(held, "ALTER ROLE orchestration CREATEDB")
    try:
        [(subject, finding)] = off(held).items()
    finally:
        apply(held, "ALTER ROLE orchestration NOCREATEDB")
    assert (subject, finding.found) == ("role orchestration", "createdb t")
    assert str(finding.remedy) == "pulumi up --refresh"


ADDED = {
    "role backdoor": "CREATE ROLE backdoor SUPERUSER LOGIN",
    "membership orchestration in pg_read_all_data": "GRANT pg_read_all_data TO orchestration",
    "membership pg_monitor in pg_read_all_data": "GRANT pg_read_all_data TO pg_monitor",
    "setting of a role or database every database for orchestration": "ALTER ROLE orchestration SET work_mem = '8MB'",
    "setting of a role or database held for orchestration": "ALTER ROLE orchestration IN DATABASE held SET jit = on",
    "setting of a role or database held for everyone": "ALTER DATABASE held SET jit = on",
    "database more": "CREATE DATABASE more",
}


@pytest.mark.parametrize("subject", ADDED)
def test_what_someone_adds_to_postgres_is_red_and_its_command_removes_it(held: Record, subject: str) -> None:
    apply(held, ADDED[subject])
    [(found, finding)] = off(held).items()
    assert found == subject
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


INSIDE = {
    "extension pageinspect of held": "CREATE EXTENSION pageinspect",
    "publication everything of held": "CREATE PUBLICATION everything FOR ALL TABLES",
    "foreign data wrapper elsewhere of held": "CREATE FOREIGN DATA WRAPPER elsewhere",
    # The removal does not ask the other server, which may not answer.
    "subscription elsewhere of held": "CREATE SUBSCRIPTION elsewhere CONNECTION 'host=nowhere' PUBLICATION everything"
    " WITH (connect = false)",
    "event trigger watcher of held": "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    "CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION watch()",
}


@pytest.mark.parametrize("subject", INSIDE)
def test_what_someone_adds_to_a_database_is_red_and_its_command_removes_it(held: Record, subject: str) -> None:
    with held.superuser("held") as root:
        available = root.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pageinspect'").fetchone()
        assert available, "the image ships the extensions of postgresql-contrib"
        root.execute(INSIDE[subject].encode())
    [(found, finding)] = off(held).items()
    assert found == subject
    assert (finding.expected, finding.found) == ("none", "there")
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


def test_a_tablespace_is_red_and_its_command_removes_it(held: Record) -> None:
    apply(held, "SET allow_in_place_tablespaces = on", "CREATE TABLESPACE elsewhere LOCATION ''")
    [(found, finding)] = off(held).items()
    assert found == "tablespace elsewhere"
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


def test_what_is_inside_a_database_and_the_password_of_another_role_are_left_out(held: Record) -> None:
    """As docs/explanation/healing.md says."""
    apply(held, "ALTER ROLE orchestration_fra PASSWORD 'by-hand'", "CREATE DATABASE more")
    try:
        for database in ("held", "template1", "more"):
            with held.superuser(database) as root:
                root.execute("CREATE SCHEMA inside")
                root.execute("CREATE TABLE inside.notes (note text)")
                root.execute("CREATE FUNCTION inside.one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        with held.superuser("more") as root:
            root.execute("CREATE EXTENSION pageinspect")
        assert set(off(held)) == {"database more"}
    finally:
        for database in ("held", "template1"):
            with held.superuser(database) as root:
                root.execute("DROP SCHEMA IF EXISTS inside CASCADE")
        secret = SECRETS["orchestration-db"]
        apply(held, "DROP DATABASE more WITH (FORCE)", f"ALTER ROLE orchestration_fra PASSWORD '{secret}'")
    assert off(held) == {}


def test_a_line_that_postgres_cannot_read_is_red_and_its_command_removes_it(held: Record) -> None:
    """The settings before it stay in force, and a restart fails."""
    apply(held, "COPY (SELECT 'no setting at all') TO PROGRAM 'cat >> \"$PGDATA/postgresql.conf\"'")
    [(found, finding)] = off(held).items()
    assert found.startswith("broken line ")
    assert found.endswith("/postgresql.conf")
    assert finding.found.startswith("syntax error")
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


def test_a_replication_slot_is_red_and_its_command_removes_it(held: Record) -> None:
    apply(held, "SELECT pg_create_physical_replication_slot('stranger')")
    [(found, finding)] = off(held).items()
    assert found == "replication slot stranger"
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


def test_a_language_that_someone_drops_is_red_and_its_command_restores_it(held: Record) -> None:
    with held.superuser("held") as root:
        root.execute("DROP EXTENSION plpgsql CASCADE")
    [(found, finding)] = off(held).items()
    assert found == "extension plpgsql of held"
    [command] = finding.remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert off(held) == {}


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        ("GRANT CREATE ON DATABASE held TO orchestration_fra", "REVOKE CREATE ON DATABASE held FROM orchestration_fra"),
        ("GRANT CONNECT ON DATABASE held TO PUBLIC", "REVOKE CONNECT ON DATABASE held FROM PUBLIC"),
        ("ALTER DATABASE held OWNER TO orchestration_fra", "ALTER DATABASE held OWNER TO orchestration"),
        ("ALTER DATABASE held CONNECTION LIMIT 3", "ALTER DATABASE held CONNECTION LIMIT -1"),
        ("ALTER DATABASE held IS_TEMPLATE true", "ALTER DATABASE held IS_TEMPLATE false"),
        ("ALTER DATABASE held ALLOW_CONNECTIONS false", "ALTER DATABASE held ALLOW_CONNECTIONS true"),
    ],
)
def test_a_changed_database_is_red(held: Record, change: str, undo: str) -> None:
    apply(held, change)
    try:
        assert set(off(held)) == {"database held"}
    finally:
        apply(held, undo)
    assert off(held) == {}


def test_the_command_of_a_finding_removes_a_setting_that_is_in_force(held: Record) -> None:
    apply(held, "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    [command] = off(held)["file of settings postgresql.auto.conf"].remedy.choices
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert settled(held, None) == {}


def at_redis(record: Record) -> Any:
    return redis.login(HUB_NAMES, SECRETS["redis"], record.lab.material.ca)


def off_in_redis(record: Record) -> dict[str, Finding]:
    found = redis.holds(HUB_NAMES, SECRETS["redis"], record.lab.material.ca)
    return {f.subject.removesuffix(" of Redis"): f for f in found if f.verdict != "valid"}


def test_redis_holds_what_is_declared_and_what_its_version_ships(services: Record) -> None:
    began = time.monotonic()
    assert off_in_redis(services) == {}
    assert time.monotonic() - began < 1


# A change of these would shut out the test, or take longer than a moment.
SPARED = {"port", "tls-port", "tls-auth-clients", "maxclients", "maxmemory-clients", "appendonly", "timeout"}
CHANGED = {
    "acl-pubsub-default": "allchannels",
    "appendfsync": "always",
    "client-output-buffer-limit": "normal 1048576 0 0",
    "loglevel": "warning",
    "maxmemory-policy": "noeviction",
    "notify-keyspace-events": "KEA",
    "proc-title-template": "{title}",
    "save": "",
    "masterauth": "secret",
}


def another(value: str) -> str | None:
    """A value that the same parameter may accept."""
    flipped = {"yes": "no", "no": "yes"}.get(value)
    return str(int(value) + 1) if value.removeprefix("-").isdecimal() else flipped


def test_each_setting_that_someone_changes_in_redis_is_red(services: Record, pytestconfig: pytest.Config) -> None:
    """All parameters whose value the server accepts to change; every fifth, or all with --whole."""
    tried = 0
    with at_redis(services) as client:
        live = {name: value for name, value in client.config_get("*").items() if name not in SPARED}
        values = {name: CHANGED.get(name, another(value)) for name, value in sorted(live.items())}
        rest = [name for name, value in values.items() if value is not None and name not in CHANGED]
        for name in [*CHANGED, *(rest if pytestconfig.getoption("--whole") else rest[::5])]:
            try:
                client.config_set(name, values[name])
            except ResponseError:  # immutable, protected, or not this value
                continue
            try:
                found = off_in_redis(services)
            finally:
                client.config_set(name, live[name])
            assert f"setting {name}" in found, name
            assert len(found) <= 2, found  # a parameter and its older name
            assert str(found[f"setting {name}"].remedy) == "./dive restart USA redis"
            tried += 1
    assert off_in_redis(services) == {}
    assert tried > len(CHANGED)
    print(f"\n{tried} of {len(values)} parameters")


RIGHTS = [
    (("on", "nopass", "~*", "+@all"), "backdoor"),
    (("off",), "sleeper"),
    (("-flushall",), "default"),
    (("resetchannels",), "default"),
    (("resetkeys", "~a*"), "default"),
    ((">another",), "default"),
    (("skip-sanitize-payload",), "default"),
    (("(~a* +get)",), "default"),
]


@pytest.mark.parametrize(("rules", "user"), RIGHTS)
def test_a_user_or_a_right_that_someone_adds_to_redis_is_red(
    services: Record, rules: tuple[str, ...], user: str
) -> None:
    password = SECRETS["redis"]
    with at_redis(services) as client:
        client.execute_command("ACL", "SETUSER", user, *rules)
        try:
            [(subject, finding)] = off_in_redis(services).items()
            assert subject == f"user {user}"
            assert str(finding.remedy) == "./dive restart USA redis"
            assert password not in str(finding)
        finally:
            if user == "default":
                declared = ("reset", "on", f">{password}", "sanitize-payload", "~*", "&*", "+@all")
                client.execute_command("ACL", "SETUSER", user, *declared)
            else:
                client.execute_command("ACL", "DELUSER", user)
    assert off_in_redis(services) == {}


def test_a_redis_that_asks_for_no_password_is_red(services: Record) -> None:
    with at_redis(services) as client:
        client.execute_command("ACL", "SETUSER", "default", "nopass")
        try:
            with pytest.raises(CheckFailed, match="no password") as red:
                off_in_redis(services)
            assert str(red.value.remedy) == "./dive restart USA redis"
        finally:
            client.execute_command("ACL", "SETUSER", "default", "resetpass", f">{SECRETS['redis']}")
    assert off_in_redis(services) == {}


def test_keys_functions_and_hidden_parameters_of_redis_are_left_out(services: Record) -> None:
    """As docs/explanation/healing.md says."""
    hidden = "key-load-delay"
    with at_redis(services) as client:
        assert hidden not in client.config_get("*")
        client.set("note", "one")
        client.execute_command(
            "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)"
        )
        client.config_set(hidden, 1)
        try:
            assert off_in_redis(services) == {}
        finally:
            client.config_set(hidden, 0)
            client.delete("note")
            client.execute_command("FUNCTION", "DELETE", "l")


def test_a_restart_removes_what_someone_changed_in_redis(services: Record) -> None:
    with at_redis(services) as client:
        client.execute_command("ACL", "SETUSER", "backdoor", "on", "nopass", "~*", "+@all")
        client.config_set("save", "")
    assert set(off_in_redis(services)) == {"user backdoor", "setting save"}
    name = HUB_NAMES.container("redis")
    connected = objects.connect()
    connected.restart(name, 5)
    connected.await_healthy(name, 30)
    assert off_in_redis(services) == {}


OURS = HUB_NAMES.mongo_database
# How someone adds it, by the subject of the finding.
IN_MONGODB: dict[str, Callable[[Client], object]] = {
    "user admin.backdoor": lambda c: c["admin"].command("createUser", "backdoor", pwd="a-password", roles=[]),
    "user more.back.door": lambda c: c["more"].command("createUser", "back.door", pwd="a-password", roles=[]),
    "role admin.reader": lambda c: c["admin"].command("createRole", "reader", privileges=[], roles=["readAnyDatabase"]),
    "role more.reader": lambda c: c["more"].command("createRole", "reader", privileges=[], roles=[]),
    "user admin.root": lambda c: c["admin"].command("updateUser", "root", roles=["root", "backup"]),
    "database more": lambda c: c["more"]["notes"].insert_one({}),
    "collection admin.notes": lambda c: c["admin"]["notes"].insert_one({}),
    f"collection {OURS}.notes": lambda c: c[OURS]["notes"].insert_one({}),
    f"collection {OURS}.view": lambda c: c[OURS].create_collection("view", viewOn="decisions", pipeline=[]),
    "options of collection key_releases": lambda c: c[OURS].create_collection("key_releases", capped=True, size=4096),
    "index subject_1 of decisions": lambda c: c[OURS]["decisions"].create_index("subject"),
    "index once of decisions": lambda c: c[OURS]["decisions"].create_index("resource", name="once", unique=True),
}


def at_mongodb(record: Record) -> AbstractContextManager[Client]:
    return mongodb.login(HUB_NAMES, SECRETS["mongodb"], record.lab.material.ca)


def test_a_superuser_with_a_password_from_before_a_change_gets_that_of_the_state(held: Record) -> None:
    with held.superuser() as root:
        root.execute("ALTER ROLE postgres PASSWORD 'of-before-the-change'")
    with pytest.raises(CheckFailed, match="holds another secret than the state") as red:
        postgres.holds(HUB_NAMES, HELD, held.lab.material.ca)
    _carry_out(held, red.value, "postgres")
    assert off(held) == {}


@pytest.fixture(scope="module")
def mongo(services: Record) -> Iterator[Record]:
    """The server with one declared collection."""
    with at_mongodb(services) as client:
        client[OURS].create_collection("decisions")
    yield services
    with at_mongodb(services) as client:
        client[OURS].drop_collection("decisions")


def test_mongodb_with_a_password_from_before_a_change_gets_that_of_the_state(mongo: Record) -> None:
    with at_mongodb(mongo) as client:
        client.admin.command("updateUser", ROOT_USER, pwd="of-before-the-change")
    with pytest.raises(CheckFailed, match="holds another secret than the state") as red, at_mongodb(mongo) as client:
        client.admin.command("listDatabases")
    _carry_out(mongo, red.value, "mongodb")
    with at_mongodb(mongo) as client:
        assert "decisions" in client[OURS].list_collection_names(), "the data is kept"
    assert off_in_mongodb(mongo) == {}


def _carry_out(record: Record, red: CheckFailed, service: str) -> None:
    """Run the command that a finding names, up to the update that ends it."""
    command, update, _ = str(red.remedy).partition(", then: pulumi up")
    assert update
    assert not [secret for secret in SECRETS.values() if secret in f"{red.found}{command}"]
    subprocess.run(command, shell=True, check=True, timeout=60)
    await_healthy(record.lab.engine, HUB_NAMES.container(service), 60)


def off_in_mongodb(record: Record) -> dict[str, mongodb.MongoDifference]:
    with at_mongodb(record) as client:
        return {d.subject: d for d in mongodb.differences(mongodb.content(client, OURS), OURS)}


def test_mongodb_holds_what_is_declared_and_says_what_it_does_not_support(mongo: Record) -> None:
    began = time.monotonic()
    [valid] = mongodb.holds(HUB_NAMES, SECRETS["mongodb"], mongo.lab.material.ca)
    assert time.monotonic() - began < 1
    assert valid.verdict == "valid"
    assert valid.found.startswith(("1 user, roles not supported", "1 user, 0 roles"))


@pytest.mark.parametrize("subject", IN_MONGODB)
def test_what_someone_adds_to_mongodb_is_red_and_its_statement_removes_it(mongo: Record, subject: str) -> None:
    with at_mongodb(mongo) as client:
        try:
            IN_MONGODB[subject](client)
        except OperationFailure as error:
            if error.code not in mongodb.NOT_SUPPORTED:
                raise
            pytest.skip(f"this server does not support it: error {error.code}")
        [(found, difference)] = off_in_mongodb(mongo).items()
        assert found == subject
        [finding] = mongodb.holds(HUB_NAMES, SECRETS["mongodb"], mongo.lab.material.ca)
        assert finding.subject == f"{subject} of MongoDB"
        assert str(finding.remedy).startswith(f"docker exec {HUB_NAMES.container('backend')} sh -c ")
        exec(difference.removal, {"client": client})
    assert off_in_mongodb(mongo) == {}


def test_documents_of_mongodb_are_left_out(mongo: Record) -> None:
    """As docs/explanation/healing.md says."""
    with at_mongodb(mongo) as client:
        client[OURS]["decisions"].insert_one({"_id": "one"})
        try:
            assert off_in_mongodb(mongo) == {}
        finally:
            client[OURS]["decisions"].delete_one({"_id": "one"})


def test_a_stopped_datastore_is_reported_within_seconds(services: Record) -> None:
    server = services.lab.engine.containers.get(HUB_NAMES.container("redis"))
    server.stop(timeout=5)
    try:
        with pytest.raises(CheckFailed, match=r"refused|connect|closed"):
            redis.holds(HUB_NAMES, SECRETS["redis"], services.lab.material.ca)
    finally:
        server.start()


def test_a_renamed_column_is_red(orchestration: Book) -> None:
    assert deployment.schema(orchestration.owner) == "agrees"
    orchestration.sql("ALTER TABLE checkpoints RENAME evidence TO proof")
    with pytest.raises(CheckFailed, match=r"checkpoints\.evidence"):
        deployment.schema(orchestration.owner)


# CONFIGURATION, SEEDING, VERIFICATION


def test_a_realm_or_users_out_of_reach_are_unknown(record: Record) -> None:
    ca = record.lab.material.ca
    spec = ConfigurationSpec(FRANCE, (HUB_NAMES,), ca, SECRETS["keycloak-admin"], "x")
    validation = validate(spec, 5)
    assert validation.verdict == "unknown"
    assert "is out of reach" in validation.findings[0].found
    seeding_spec = SeedingSpec(FRANCE, (HUB_NAMES,), 10, {"FRA": public_key(rsa_key())}, ca, "x", "x")
    assert {f.verdict for f in validate(seeding_spec, 5).findings} == {"unknown"}


def test_a_seeded_document_that_is_lost_or_altered_is_named(services: Record) -> None:
    names, ca = HUB_NAMES, services.lab.material.ca
    key = public_key(rsa_key())
    spec = SeedingSpec(names, (FRANCE,), 200, {"USA": key}, ca, SECRETS["mongodb"], SECRETS["keycloak-admin"])
    target = SeedStoreAccess(LOOPBACK, names.port("mongodb"), ROOT_USER, SECRETS["mongodb"], names.mongo_database, ca)

    def red() -> dict[str, str]:
        return {f.check: f.found for f in seeding.data(spec) if f.verdict != "valid"}

    assert len(red()) == 7  # nothing is there yet
    with connect(target) as database:
        for batch in batches(names, (FRANCE,), key, 200):
            Loader(database).load(batch)
        started = time.monotonic()
        assert red() == {}
        assert time.monotonic() - started < 2
        database["resources"].delete_one({"_id": "doc-usa-000007"})
        database["resources"].update_one({"_id": "doc-usa-000003"}, {"$set": {"classification": "UNCLASSIFIED"}})
    resources = "batch seed-usa-resources is complete and unaltered"
    assert red() == {resources: "1 missing (doc-usa-000007); 1 altered (doc-usa-000003)"}


def test_a_country_whose_realm_is_not_served_is_reported_with_the_command(record: Record) -> None:
    with pytest.raises(CheckFailed) as caught:
        verification.discovery(FRANCE, record.lab.material.ca)
    assert (caught.value.expected, str(caught.value.remedy)) == (FRANCE.issuer, "pulumi up -s fra")


def test_a_server_without_a_free_connection_refuses_no_one_and_says_who_holds_them(orchestration: Book) -> None:
    """Ninety-seven sessions hold the server: a role, a password and an approval are as they were."""
    access = orchestration.owner
    with ExitStack() as held:
        while live := _session(access):
            held.enter_context(live)
        with pytest.raises(NotAdmitting) as full:
            connection.connect(access)
        assert full.value.state == "53300"
        database = DatabaseSpec(access.database, access.user, access.password)
        with pytest.raises(CheckUnknown, match=f"sessions: [0-9]+ of {access.user} in {access.database}"):
            deployment.postgres(HUB_NAMES, database, access.ca)
    wait_for(lambda: _admits(access), within=60)


def _admits(access: DatabaseAccess) -> bool:
    """Whether the server takes a login: sessions end a moment after their connections, and it may be busy with that."""
    try:
        connection.connect(access).close()
    except (NotAdmitting, Unreachable):
        return False
    return True


def _session(access: DatabaseAccess) -> Connection[Any] | None:
    try:
        return connection.connect(access)
    except NotAdmitting:
        return None
