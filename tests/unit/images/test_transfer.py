"""An engine elsewhere gets the images that this machine's own engine has, in one stream."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from dive_infra import engines
from dive_infra.config import environment
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.engines.docker import endpoint, engine
from dive_infra.images import country_images, registry, resolution, transfer
from dive_infra.images.recipes import tag
from dive_infra.images.registry import ImageError
from tests.support.engine import StandIn, at_socket

BACKEND, OPA, OFFICIAL = tag("backend"), tag("opa"), "openpolicyagent/opa:1.18.2-static"


class Pair:
    """This machine's engine and the one that the country runs on."""

    def __init__(self) -> None:
        self.here, self.there = StandIn(), StandIn()
        self.said: list[str] = []

    @property
    def client(self) -> docker.DockerClient:
        return engine.client()

    def bring(self, **references: str) -> list[str]:
        """Return what is there afterwards."""
        transfer.bring(self.client, references, self.said.append)
        return sorted(self.there.images)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    found = Pair()
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv(environment.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "ask", refuses)
    with ExitStack() as serving:
        monkeypatch.setattr(endpoint, "SOCKET", serving.enter_context(at_socket(found.here, tmp_path / "here")))
        engines.select(EngineSelection(serving.enter_context(at_socket(found.there, tmp_path / "there"))))
        yield found
    engines.select(EngineSelection())


def refuses(reference: str) -> dict[str, dict[str, str]]:
    raise ImageError(f"{reference}: registry does not answer")


def test_what_no_registry_has_is_sent_in_one_stream(pair: Pair) -> None:
    pair.here.images = {BACKEND: "amd64", OPA: "amd64", "other:1": "amd64"}
    assert pair.bring(backend="dive/backend", opa=OFFICIAL) == sorted([BACKEND, OPA])
    assert [asked for asked in pair.there.asked if "load" in asked] == ["POST /images/load"]
    assert pair.said == [f"sending {BACKEND}, {OPA} from this machine's engine"]


def test_the_configured_image_goes_before_ours(pair: Pair) -> None:
    pair.here.images = {OPA: "amd64", OFFICIAL: "amd64"}
    assert pair.bring(opa=OFFICIAL) == [OFFICIAL]


def test_what_is_there_or_can_be_pulled_is_not_sent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.here.images = {BACKEND: "amd64", OFFICIAL: "amd64"}
    pair.there.images = {BACKEND: "amd64"}
    monkeypatch.setattr(registry, "ask", lambda _: {"Descriptor": {}})
    assert pair.bring(backend="dive/backend", opa=OFFICIAL) == [BACKEND]
    assert pair.said == []


def test_an_image_for_another_processor_is_not_sent(pair: Pair) -> None:
    pair.here.images, pair.there.processor = {BACKEND: "amd64"}, "aarch64"
    assert pair.bring(backend="dive/backend") == []


def test_an_optimized_image_goes_with_the_one_that_it_is_built_on(pair: Pair) -> None:
    official = "quay.io/keycloak/keycloak:26.7.4"
    optimized = tag("keycloak-optimized", f"id of {official}")
    pair.here.images = {official: "amd64", optimized: "amd64"}
    assert pair.bring(keycloak=official) == sorted([official, optimized])


def test_an_image_that_is_known_by_its_digest_alone_is_left_to_a_registry(pair: Pair) -> None:
    locked = f"openpolicyagent/opa@sha256:{'0' * 64}"
    pair.here.images = {locked: "amd64"}
    assert pair.bring(opa=locked) == []


def test_what_was_lost_on_the_way_is_named(pair: Pair) -> None:
    pair.here.images, pair.there.loses = {BACKEND: "amd64"}, True
    with pytest.raises(ImageError, match=f"{BACKEND}"):
        pair.bring(backend="dive/backend")


def test_without_another_engine_here_nothing_is_asked(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ask", lambda _: pytest.fail("no registry is asked"))
    engines.select(EngineSelection())
    assert pair.bring(backend="dive/backend") == []


def test_a_service_has_its_image_after_it_was_sent(pair: Pair) -> None:
    pair.here.images = {BACKEND: "amd64"}
    found = country_images.resolve("backend", "dive/backend", pair.said.append)
    assert (found.reference, found.source) == (BACKEND, "present")
    assert resolution.find(pair.client, "backend", "dive/backend") == found


def test_what_neither_has_is_built_here_and_sent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other machine may reach no package index."""

    def built(_: docker.DockerClient, references: Mapping[str, str], __: object) -> None:
        assert references == {"backend": "dive/backend"}
        pair.here.images = {BACKEND: "amd64"}

    monkeypatch.setattr(resolution, "resolve_all", built)
    assert pair.bring(backend="dive/backend") == [BACKEND]
