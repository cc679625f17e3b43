"""The images, built or pulled, run hardened exactly as the catalog says, and answer only whom they should."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import socket
from time import monotonic

import psycopg
import pytest
import redis
from docker import DockerClient
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis.backoff import NoBackoff
from redis.retry import Retry

from dive_infra.catalog import datastores
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.config.timeouts import REGISTRY_ANSWER
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.images import recipes, resolution
from dive_infra.images import registry as machine_registry
from tests.support.lab import Lab, lab
from tests.support.registry import registry

NAMES = Names(COUNTRIES["FRA"], "t-images")
SECRETS = {row.name: f"Secret-of-{row.name}" for row in CREDENTIALS}


@pytest.fixture(scope="module")
def country() -> Iterator[Lab]:
    """A country's datastores; its Keycloak is tested in the coalition, as it takes the longest to start."""
    with closing(engine.client()) as client, lab(client, NAMES, SECRETS) as there:
        for service in (datastores.postgres, datastores.mongodb, datastores.redis):
            there.start(service(NAMES, NAMES), within=60)
        print(f"\nseconds to healthy: {there.seconds}")
        yield there


@pytest.fixture(scope="module")
def ca(country: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    file.write_text(country.material.ca)
    return file


def _postgres(password: str, sslmode: str = "require", sslrootcert: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host=NAMES.host("postgres"),
        hostaddr=LOOPBACK,
        port=NAMES.port("postgres"),
        user="postgres",
        dbname="postgres",
        password=password,
        autocommit=True,
        connect_timeout=5,
        sslmode=sslmode,
        sslrootcert=sslrootcert,
    )


def test_postgres_answers_its_superuser_over_verified_tls(country: Lab, ca: Path) -> None:
    with _postgres(SECRETS["postgres-superuser"], sslmode="verify-full", sslrootcert=str(ca)) as connection:
        row = connection.execute(
            "SELECT version, current_setting('password_encryption') FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE pid = pg_backend_pid()"
        ).fetchone()
        hashes = connection.execute("SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolcanlogin").fetchall()
    assert row == ("TLSv1.3", "scram-sha-256")
    assert hashes == [("SCRAM-SHA-256",)]


@pytest.mark.parametrize(("password", "mode"), [("wrong", "require"), (SECRETS["postgres-superuser"], "disable")])
def test_postgres_refuses_a_wrong_password_and_clear_text(country: Lab, password: str, mode: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"authentication failed|no encryption"):
        _postgres(password, sslmode=mode)


def _mongodb(ca: Path, password: str) -> "MongoClient[dict[str, object]]":
    return MongoClient(
        LOOPBACK,
        NAMES.port("mongodb"),
        username="root",
        password=password,
        tls=True,
        tlsCAFile=str(ca),
        serverSelectionTimeoutMS=5000,
    )


def test_mongodb_keeps_documents_for_its_root_user(country: Lab, ca: Path) -> None:
    with _mongodb(ca, SECRETS["mongodb"]) as client:
        collection = client[NAMES.mongo_database]["resources"]
        collection.insert_many([{"_id": f"doc-{n}", "title": "é" * 50} for n in range(1000)])
        assert collection.count_documents({}) == 1000
        assert collection.find_one({"_id": "doc-7"}) == {"_id": "doc-7", "title": "é" * 50}


def test_mongodb_refuses_a_wrong_password_and_the_unnamed(country: Lab, ca: Path) -> None:
    with _mongodb(ca, "wrong") as client, pytest.raises(OperationFailure):
        client["any"]["any"].find_one()
    with (
        MongoClient[dict[str, object]](
            LOOPBACK, NAMES.port("mongodb"), tls=True, tlsCAFile=str(ca), serverSelectionTimeoutMS=5000
        ) as client,
        pytest.raises(OperationFailure),
    ):
        client["any"]["any"].find_one()


def test_mongodb_speaks_nothing_but_tls(country: Lab) -> None:
    with (
        MongoClient[dict[str, object]](LOOPBACK, NAMES.port("mongodb"), serverSelectionTimeoutMS=2000) as client,
        pytest.raises(PyMongoError),
    ):
        client.admin.command("ping")


def _redis(ca: Path, password: str | None, tls: bool = True) -> redis.Redis:
    return redis.Redis(
        host=LOOPBACK,
        port=NAMES.port("redis"),
        password=password,
        ssl=tls,
        ssl_ca_certs=str(ca) if tls else None,
        retry=Retry(NoBackoff(), 0),
    )


def test_redis_answers_its_user_and_keeps_what_is_written(country: Lab, ca: Path) -> None:
    with _redis(ca, SECRETS["redis"]) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
        assert client.config_get("appendonly") == {"appendonly": "yes"}


@pytest.mark.parametrize(("password", "tls"), [("wrong", True), (None, True), (SECRETS["redis"], False)])
def test_redis_refuses_others(country: Lab, ca: Path, password: str | None, tls: bool) -> None:
    with _redis(ca, password, tls) as client, pytest.raises(redis.RedisError):
        client.get("key")


@pytest.mark.parametrize("service", ["postgres", "mongodb", "redis"])
def test_a_container_holds_no_secret_in_its_declaration_and_is_locked_down(country: Lab, service: str) -> None:
    attributes = country.engine.containers.get(NAMES.container(service)).attrs
    assert not [secret for secret in SECRETS.values() if secret in str(attributes["Config"])]
    host = attributes["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
    assert attributes["Config"]["User"] not in ("", "0", "0:0")


@pytest.mark.parametrize("service", ["postgres", "mongodb", "redis"])
def test_a_service_starts_again_with_its_data(country: Lab, ca: Path, service: str) -> None:
    name = NAMES.container(service)
    container = country.engine.containers.get(name)
    container.stop()
    assert container.wait()["StatusCode"] in (0, 143)
    container.start()
    await_healthy(country.engine, name, 120)
    if service == "mongodb":
        with _mongodb(ca, SECRETS["mongodb"]) as client:
            assert client[NAMES.mongo_database]["resources"].count_documents({}) == 1000
    if service == "redis":
        with _redis(ca, SECRETS["redis"]) as client:
            assert client.get("key") == b"value"


def test_a_second_resolution_builds_nothing(country: Lab) -> None:
    said: list[str] = []
    references = {"postgres": datastores.POSTGRES_IMAGE, "mongodb": datastores.MONGODB_IMAGE}
    again = resolution.resolve_all(country.engine, references, said.append)
    assert not said
    assert {image.source for image in again.values()} == {"present"}


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerClient]:
    with closing(engine.client()) as client:
        yield client


def test_an_image_of_another_repository_is_never_replaced_by_ours(docker: DockerClient) -> None:
    with pytest.raises(resolution.ImageError, match=r"redis: image example\.invalid/redis:1 is neither on the engine"):
        resolution.resolve(docker, "redis", "example.invalid/redis:1")


def test_a_registry_that_answers_is_pulled_from_at_the_locked_digest(
    docker: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_registry, "LOCK_FILE", tmp_path / "images.lock")
    with registry("team/redis", "1.0") as published:
        assert resolution.lock([published.reference, "dive/backend"]) == {published.reference: published.digest}
        assert resolution.find(docker, "redis", published.reference) is None
        pulled = resolution.resolve(docker, "redis", published.reference)
        locked = f"{published.reference.removesuffix(':1.0')}@{published.digest}"
        try:
            assert (pulled.reference, pulled.source) == (locked, "pulled")
            assert resolution.resolve(docker, "redis", published.reference).source == "present"
        finally:
            docker.images.remove(locked)
        with pytest.raises(resolution.ImageError, match="refuses it"):
            resolution.lock([published.reference.replace("1.0", "2.0")])
        assert published.digest in machine_registry.LOCK_FILE.read_text()


def test_a_registry_that_is_silent_is_asked_once(docker: DockerClient) -> None:
    with socket() as deaf:
        deaf.bind((LOOPBACK, 0))
        deaf.listen()
        reference = f"localhost:{deaf.getsockname()[1]}/redis:1"
        began = monotonic()
        for _ in range(3):
            with pytest.raises(resolution.ImageError, match="does not answer"):
                resolution.resolve(docker, "redis", reference)
        assert monotonic() - began < 2 * REGISTRY_ANSWER


def test_a_failing_build_shows_the_end_of_its_log(
    docker: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo no such luck && exit 3\n")
    monkeypatch.setitem(recipes.RECIPES, "broken", recipes.Recipe(str(tmp_path), stands_in_for=("dive/broken",)))
    with pytest.raises(resolution.ImageError, match=r"(?s)building dive\.local/broken:.* failed:.*no such luck"):
        resolution.resolve(docker, "broken", "dive/broken")
