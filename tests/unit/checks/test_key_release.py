"""Whether keys can be released, with the key access service replaced."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dive_infra.checks import key_release, objects, runner
from dive_infra.checks.key_release import REFUSAL
from dive_infra.crypto.pki import public_key, rsa_key
from dive_infra.identity import https
from dive_infra.results.finding import Finding
from tests.unit.checks.servers import Containers
from tests.unit.checks.specs import FRANCE

KEY, OTHER = (public_key(rsa_key()) for _ in range(2))
RESTART = "./dive restart FRA kas"


class World(Containers):
    """A key access service with these answers; `silent` is the error of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.dependencies = {"mongodb": "up", "opa": "up"}
        self.refusal = (401, REFUSAL)
        self.key: tuple[int, str] = (200, KEY)
        self.silent: httpx.HTTPError | None = None
        self.connections = 0
        self.realm = 200

    def client(self, *_: object) -> httpx.Client:
        self.connections += 1
        return httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == FRANCE.issuer:
            if not self.realm:
                raise httpx.ConnectError("refused")
            return httpx.Response(self.realm)
        assert request.url.host == FRANCE.host("kas")
        if self.silent:
            raise self.silent
        if request.url.path == "/health":
            return httpx.Response(200, json={"status": "healthy", "dependencies": self.dependencies})
        if request.url.path == "/public-key":
            return httpx.Response(self.key[0], json={"publicKey": self.key[1]} if self.key[1] else {})
        assert request.headers["authorization"].startswith("Bearer ey")
        return httpx.Response(self.refusal[0], json={"reason": self.refusal[1]})

    def found(self) -> tuple[Finding, Finding]:
        """Return the findings of VERIFICATION and of SEEDING."""
        checks = [*key_release.checks(FRANCE, "CA"), *key_release.held(FRANCE, {"FRA": KEY}, "CA")]
        ready, held = runner.run(checks, 5).findings
        return ready, held


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(https, "client", made.client)
    monkeypatch.setattr(objects, "connect", lambda: made)
    return made


def test_a_service_that_refuses_for_the_right_reason_is_ready(world: World) -> None:
    assert [f.verdict for f in world.found()] == ["valid", "valid"]
    assert world.connections == 2, "one for each check: a TLS handshake costs more than a request"


CHANGES: list[tuple[str, Callable[[World], Any], int, str, str]] = [
    ("documents away", lambda w: w.dependencies.update(mongodb="down"), 0, "mongodb down", RESTART),
    ("no policy engine", lambda w: w.dependencies.pop("opa"), 0, "opa unknown (status 200)", RESTART),
    (
        "an untrusted realm",
        lambda w: setattr(w, "refusal", (401, "issuer 'x' is not trusted")),
        0,
        "401 issuer",
        RESTART,
    ),
    ("no refusal", lambda w: setattr(w, "refusal", (400, "expected resourceId")), 0, "400 expected", RESTART),
    ("a realm out of reach", lambda w: setattr(w, "refusal", (503, "it is unavailable")), 0, "503 it is", RESTART),
    ("another key", lambda w: setattr(w, "key", (200, OTHER)), 1, key_release._kid(FRANCE, OTHER), RESTART),
    ("no key", lambda w: setattr(w, "key", (500, "")), 1, "status 500", RESTART),
    ("an earlier version", lambda w: setattr(w, "key", (404, "")), 1, "publishes no key", "pulumi up -s fra"),
]


@pytest.mark.parametrize(("change", "place", "found", "remedy"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_keeps_keys_from_being_released_is_named(
    world: World, change: Callable[[World], Any], place: int, found: str, remedy: str
) -> None:
    change(world)
    findings = world.found()
    wrong, other = findings[place], findings[1 - place]
    assert (wrong.verdict, wrong.code, str(wrong.remedy), other.verdict) == ("invalid", 1405, remedy, "valid"), wrong
    assert wrong.found.startswith(found)
    assert wrong.expected


def test_a_service_that_is_down_is_one_cause_for_both(world: World) -> None:
    world.silent = httpx.ConnectError("[Errno 111] Connection refused")
    assert {f.verdict for f in world.found()} == {"invalid"}
    world.stopped.add(FRANCE.container("kas"))
    assert {(f.verdict, f.found) for f in world.found()} == {
        ("unknown", f"{FRANCE.container('kas')} is stopped (exit code 0)")
    }


@pytest.mark.parametrize("service", ["mongodb", "opa"])
def test_a_dependency_that_is_down_is_the_cause(world: World, service: str) -> None:
    world.dependencies[service] = "down"
    world.stopped.add(FRANCE.container(service))
    ready, held = world.found()
    assert (ready.verdict, ready.found) == ("unknown", f"{FRANCE.container(service)} is stopped (exit code 0)")
    assert held.verdict == "valid"
    world.stopped.clear()
    world.foreign.add(FRANCE.container(service))
    assert world.found()[0].found == f"{FRANCE.container(service)} is not this stack's", "a restart does not help"


def test_a_realm_that_is_down_is_the_cause(world: World) -> None:
    world.refusal = (503, "identity provider is unavailable")
    world.stopped.add(FRANCE.container("keycloak"))
    assert world.found()[0].found == f"{FRANCE.container('keycloak')} is stopped (exit code 0)"


@pytest.mark.parametrize(
    ("status", "verdict", "found", "remedy"),
    [
        (404, "invalid", "no such realm", "pulumi up --refresh -s fra"),
        (500, "unknown", f"{FRANCE.issuer}: status 500", "pulumi up -s fra"),
        (0, "unknown", f"{FRANCE.issuer}: refused", "pulumi up -s fra"),
    ],
)
def test_where_the_realm_does_not_answer_the_service_is_not_restarted(
    world: World, status: int, verdict: str, found: str, remedy: str
) -> None:
    world.refusal, world.realm = (503, "identity provider is unavailable"), status
    ready, _ = world.found()
    assert (ready.verdict, ready.found, str(ready.remedy)) == (verdict, found, remedy)


def test_a_busy_service_is_unknown(world: World) -> None:
    world.silent = httpx.ReadTimeout("The read operation timed out")
    assert {f.verdict for f in world.found()} == {"unknown"}
