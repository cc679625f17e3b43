"""The administrator of a Keycloak, with the server replaced where it matters what was asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier, Event, Lock

import httpx
import pytest

from dive_infra.checks import deployment, runner
from dive_infra.checks.runner import Check, CheckUnknown
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import issue
from dive_infra.identity import comparison, https
from dive_infra.identity.comparison import Live
from dive_infra.identity.keycloak_admin import (
    Forbidden,
    KeycloakAccess,
    KeycloakAdmin,
    KeycloakUnreachable,
    SecretRefused,
)
from dive_infra.process.probe_cache import PROBES

FRANCE = Names(COUNTRIES["FRA"])
_NUMBERS = count()


class Server:
    """A Keycloak that accepts `secret` and the tokens that it has issued and not `revoked`."""

    def __init__(self) -> None:
        self.secret = "secret"
        self.issued: list[str] = []
        self.revoked: set[str] = set()
        self.asked: list[str] = []
        self.lasts = 60
        self.silent = False
        self.reached, self.answering = Event(), Event()
        self.answering.set()
        self._guard = Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._guard:
            self.asked.append(request.url.path)
        if self.silent:
            raise httpx.ReadTimeout("timed out")
        if request.method == "POST":
            self.reached.set()
            assert self.answering.wait(10)
            if f"client_secret={self.secret}" not in request.content.decode():
                return httpx.Response(401, json={"error_description": "Invalid client credentials"})
            with self._guard:
                self.issued.append(f"token {len(self.issued)}")
                return httpx.Response(200, json={"access_token": self.issued[-1], "expires_in": self.lasts})
        token = request.headers["authorization"].removeprefix("Bearer ")
        known = token in self.issued and token not in self.revoked
        return httpx.Response(200, json=[token]) if known else httpx.Response(401, json={"error": "unauthorized"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=httpx.MockTransport(made.answer)))
    return made


@pytest.fixture
def access() -> KeycloakAccess:
    """An access that no other test has used."""
    return KeycloakAccess(f"https://keycloak-{next(_NUMBERS)}.test", "CA", "secret")


def token(access: KeycloakAccess, timeout: float = 10.0) -> str:
    """Return the token that a session of its own uses."""
    with KeycloakAdmin(access, timeout) as admin:
        [used] = admin.get("/realms")
    return str(used)


def test_sessions_that_start_at_once_log_in_once(server: Server, access: KeycloakAccess) -> None:
    together = Barrier(8)

    def session(_: int) -> str:
        together.wait(10)
        return token(access)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(session, range(8))) == {"token 0"}
    assert server.issued == ["token 0"]
    assert token(access) == "token 0", "a later session uses it too"


def test_a_token_is_used_for_most_of_its_life(server: Server, access: KeycloakAccess) -> None:
    server.lasts = 0
    assert [token(access), token(access)] == ["token 0", "token 1"]


def test_each_access_logs_in_for_itself(server: Server, access: KeycloakAccess) -> None:
    """A rotated secret makes another access: the token of the old one says nothing about the new one."""
    assert token(access) == "token 0"
    assert token(KeycloakAccess(f"{access.url}:8443", access.ca, access.client_secret)) == "token 1"
    with pytest.raises(SecretRefused, match="Invalid client credentials"):
        token(KeycloakAccess(access.url, access.ca, "another"))
    assert token(access) == "token 0"


def test_a_refused_token_is_replaced_once_for_all(server: Server, access: KeycloakAccess) -> None:
    assert token(access) == "token 0"
    server.revoked = {"token 0"}  # as a server with other keys
    together = Barrier(8)

    def session(_: int) -> str:
        with KeycloakAdmin(access) as admin:
            together.wait(10)
            return str(admin.get("/realms")[0])

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(session, range(8))) == {"token 1"}
    assert server.issued == ["token 0", "token 1"]


def test_a_fresh_token_that_is_refused_is_an_error(server: Server, access: KeycloakAccess) -> None:
    server.revoked = {"token 0", "token 1"}
    with pytest.raises(Forbidden, match="401 unauthorized"):
        token(access)
    assert server.issued == ["token 0", "token 1"]
    assert token(access) == "token 2"


def test_the_error_of_a_login_is_kept_for_no_one(server: Server, access: KeycloakAccess) -> None:
    """Each session reports what Keycloak answers to itself."""
    server.secret = "another"
    for _ in range(2):
        with pytest.raises(SecretRefused):
            token(access)
    assert len(server.asked) == 2
    server.secret = "secret"
    assert token(access) == "token 0"


def test_a_session_does_not_wait_longer_for_another_login_than_for_its_own(
    server: Server, access: KeycloakAccess
) -> None:
    server.answering.clear()
    with ThreadPoolExecutor(1) as thread, KeycloakAdmin(access) as patient:
        first = thread.submit(patient.log_in)
        assert server.reached.wait(10)
        server.silent = True
        with pytest.raises(KeycloakUnreachable, match="timed out"):
            token(access, 0.05)
        server.silent = False
        server.answering.set()
        first.result(10)


def test_a_token_is_not_shared_across_a_change_of_the_run(server: Server, access: KeycloakAccess) -> None:
    assert token(access) == "token 0"
    PROBES.disable()  # as each change does
    assert [token(access), token(access)] == ["token 1"] * 2


def test_the_check_of_the_login_logs_in_even_if_others_hold_a_token(server: Server) -> None:
    names, secret, ca = FRANCE, server.secret, f"CA {next(_NUMBERS)}"
    access = KeycloakAccess(names.url("keycloak"), ca, secret)
    probe = Check("Keycloak answers a login", "keycloak", lambda: deployment.keycloak(names, secret, ca))
    assert token(access) == "token 0"
    for number in (1, 2):
        assert [f.verdict for f in runner.run([probe], 5).findings] == ["valid"]
        assert token(access) == f"token {number}", "its answer serves the others"
    server.silent = True
    with pytest.raises(CheckUnknown, match="timed out"):
        probe.probe()
    server.silent, server.secret = False, "changed by hand"
    with KeycloakAdmin(access) as admin:
        with pytest.raises(SecretRefused):
            admin.log_in()
        assert admin.get("/realms") == ["token 2"], "Keycloak accepts what it has issued"


@pytest.fixture
def _off_again() -> Iterator[None]:
    yield
    PROBES.disable()


@pytest.mark.usefixtures("_off_again")
def test_a_server_is_read_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever compares it, and by whoever looks for what no one declared: each has a session of its own."""
    asked: list[str] = []

    def read(_admin: KeycloakAdmin, of: Names) -> Live:
        asked.append(of.realm)
        return Live((of.realm,), {}, {})

    monkeypatch.setattr(comparison, "_read", read)
    names, ca = Names(COUNTRIES["FRA"]), issue("root", 30, authority=True).chain
    found = Live((names.realm,), {}, {})

    def look() -> None:
        with (
            KeycloakAdmin(KeycloakAccess(names.url("keycloak"), ca, "secret")) as one,
            KeycloakAdmin(KeycloakAccess("https://other", ca, "s")) as other,
        ):
            assert comparison.live(one, names) == comparison.live(other, names) == found

    PROBES.enable(60)
    look()
    assert asked == [names.realm]
    PROBES.disable()
    look()
    assert asked == [names.realm] * 3
