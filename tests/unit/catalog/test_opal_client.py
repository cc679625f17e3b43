"""The configuration of the OPAL client, which is a file of its container: what it does without OPA or the hub."""

import http.client
import json
import logging
import urllib.error
from collections.abc import Callable
from email.message import Message
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dive_backend import distribution
from dive_infra.catalog import opal
from dive_infra.crypto import pki
from tests.support.https_server import ROOT, serving

KEY = pki.rsa_key()
HOST = "opal-client.fra.dive.localhost"
TEXT = (Path(opal.__file__).parent / "client.py").read_text()


class Enough(Exception):
    """Ends the watch, which never ends by itself."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files and variables of the container."""
    files = {
        "opal-token": "t1",
        "opa-feed": "t2",
        "ca.pem": ROOT.chain,
        "hub-policies.pub": pki.public_key(KEY),
        "signature.py": (Path(opal.__file__).parent / "signature.py").read_text(),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HUB_BUNDLE_URL", "https://hub")
    monkeypatch.setenv("HUB_BUNDLE_COPY", str(tmp_path / "copy.json"))
    monkeypatch.setenv("OPAL_POLICY_STORE_URL", "https://opa")
    monkeypatch.setenv("UVICORN_PORT", "1")
    monkeypatch.setenv("OWN_HOST", HOST)
    for name in (
        "OPAL_CLIENT_TOKEN",
        "OPAL_POLICY_STORE_AUTH_TOKEN",
        "OPAL_AUTH_PUBLIC_KEY",
        "OPAL_AUTH_PUBLIC_KEY_FORMAT",
    ):
        monkeypatch.setenv(name, "")  # the module sets them; put back afterwards
    return tmp_path


def loaded(folder: Path) -> Any:
    module = ModuleType("gunicorn_conf")
    exec(compile(TEXT.replace("/etc/dive", str(folder)), "client.py", "exec"), vars(module))
    return module


@pytest.fixture
def client(folder: Path) -> Any:
    return loaded(folder)


def test_the_clients_own_api_is_open_within_its_container_only(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPAL asks for no token at `/policy-updater/trigger` and `/data-updater/trigger`."""
    monkeypatch.setenv("OPAL_SERVER_URL", "https://hub")
    monkeypatch.setenv("OPAL_DEFAULT_DATA_SOURCES_CONFIG_URL", "https://hub")
    monkeypatch.setattr(client, "_call", lambda *_: b"")
    settings = {"bind": "0.0.0.0:1"}  # as the command line of the image says
    client.on_starting(SimpleNamespace(cfg=SimpleNamespace(set=settings.__setitem__)))
    assert settings == {"bind": "127.0.0.1:1"}


@pytest.mark.parametrize(("host", "triggered"), [(HOST, True), ("opa.fra.dive.localhost", False)])
def test_the_clients_own_api_is_known_by_its_host(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, triggered: bool
) -> None:
    with serving(host) as port:
        monkeypatch.setenv("UVICORN_PORT", str(port))
        if triggered:
            client._reload()
        else:
            with pytest.raises(urllib.error.URLError, match="ostname mismatch"):
                client._reload()


@pytest.mark.parametrize(
    "broken",
    [
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected("gone"),
        ConnectionRefusedError(),
        TimeoutError(),
        json.JSONDecodeError("half", "", 0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_opa_is_restored_after_any_answer_that_broke_off(
    client: Any, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    """It was restarted in the middle of its answer, and has forgotten its policies."""
    answers: list[Exception | bytes] = [broken, b"{}", b"{}", b"loading", Enough()]
    asked: list[str] = []

    def call(url: str, _token: str, _method: str = "GET", _body: bytes | None = None) -> bytes:
        asked.append(url)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "_call", call)
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    with pytest.raises(Enough):
        client._watch()
    assert asked == [
        "https://opa/v1/query",
        *["https://opa/v1/query"] * 2,  # whether all is there, then what is not
        "https://127.0.0.1:1/policy-updater/trigger",
        "https://opa/v1/query",
    ]


# Without the hub.

POLICIES = {"authz.rego": "package dive.authz", "a.rego": "import data.dive.b", "b.rego": "package dive.b"}
FEED = {"success": True, "coi": ["é\u2028"]}


class World:
    """A hub and an OPA. `files`: what the hub distributes, None if it does not answer; `opal`: whether OPAL loads."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = None
        self.opal = False
        self.policies: dict[str, str] = {}
        self.data: dict[str, Any] = {}
        self.calls: list[str] = []

    def distribute(self, policies: dict[str, str], key: str = KEY) -> None:
        data = distribution._json({"dive": {"coi": FEED}})
        files = {path: text.encode() for path, text in policies.items()} | {"data.json": data}
        self.files = files | {distribution.SIGNATURES: distribution.signature(files, key)}

    def restart(self) -> None:
        """OPA forgets."""
        self.policies, self.data = {}, {}

    def request(self, url: str, token: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
        self.calls.append(f"{method} {url.rpartition('//')[2]}")
        if url == "https://hub":
            return self._hub(headers)
        if url.startswith("https://127.0.0.1"):
            if self.opal:
                self.policies = dict(POLICIES)
            return answer(b"")
        assert token == "t2"
        path = url.removeprefix("https://opa/v1/").partition("/")
        if url == "https://opa/v1/policies":
            found = [{"id": name, "raw": text} for name, text in self.policies.items()]
            return answer(json.dumps({"result": found}).encode())
        assert body is not None, "no data is fetched to see whether it is there"
        if path[0] == "query":
            return self._query(json.loads(body)["query"])
        if path[0] == "policies":
            return self._policies(path[2], body)
        self.data[path[2]] = json.loads(body)
        return answer(b"")

    def _hub(self, headers: dict[str, str]) -> Any:
        if self.files is None:
            raise ConnectionRefusedError("refused")
        packed = distribution.bundle(self.files)
        tag = f'"{hash(packed)}"'
        if headers.get("If_None_Match") == tag:
            raise urllib.error.HTTPError("https://hub", 304, "Not Modified", Message(), None)
        return answer(packed, tag)

    def _query(self, query: str) -> Any:
        """Answer whether all of `_ = data.a.b; …` is defined, in OPA's form."""
        asked = [part.removeprefix("_ = data.").replace(".", "/") for part in query.split("; ")]
        there = {*self.data, *(["dive/authz/allow"] if "authz.rego" in self.policies else [])}
        return answer(json.dumps({"result": [{}]} if there >= {*asked} else {}).encode())

    def _policies(self, path: str, body: bytes) -> Any:
        if path == "a.rego" and "b.rego" not in self.policies:  # a calls a function of b
            raise urllib.error.HTTPError(path, 400, "undefined function", Message(), None)
        self.policies[path] = body.decode()
        return answer(b"")


def answer(content: bytes, tag: str = "") -> Any:
    response = BytesIO(content)
    response.headers = {"ETag": tag}  # type: ignore[attr-defined]
    return response


@pytest.fixture
def world(client: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(client, "_request", made.request)
    return made


@pytest.fixture
def run(client: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a thread of the client for as many looks; `between` runs before each of them but the first."""

    def looks(thread: str, count: int, between: Callable[[], object] = lambda: None) -> None:
        left = [count] if thread == "_watch" else [count - 1]  # `_keep` asks before it sleeps

        def slept(_: float) -> None:
            if not left[0]:
                raise Enough
            if left[0] < count:
                between()
            left[0] -= 1

        monkeypatch.setattr(client.time, "sleep", slept)
        with pytest.raises(Enough):
            getattr(client, thread)()

    return looks


def copy(client: Any) -> Any:
    return json.loads(client._COPY.read_text())


def test_what_the_hub_distributes_is_kept_with_its_signature(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    assert world.files
    run("_keep", 1)
    assert copy(client)["files"] == {path: content.decode() for path, content in world.files.items()}
    assert not client._COPY.with_suffix(".new").exists()


def test_a_confirmation_is_noted_and_a_new_version_stored(
    client: Any, world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(client.time, "time", lambda: now[0])
    world.distribute(POLICIES)
    kept: list[float] = []

    def later() -> None:
        kept.append(copy(client)["confirmed"])
        now[0] += 20

    run("_keep", 4, later)
    assert kept == [1000, 1000, 1040], "not at every look"
    world.distribute({**POLICIES, "b.rego": "package dive.b # new"})
    now[0] += 1
    run("_keep", 1)
    assert copy(client)["files"]["b.rego"] == "package dive.b # new"


def test_what_the_hub_did_not_sign_does_not_replace_what_is_kept(
    client: Any, world: World, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.distribute(POLICIES)
    run("_keep", 1)
    before = copy(client)["files"]
    with caplog.at_level(logging.WARNING):
        world.distribute({**POLICIES, "b.rego": "package dive.b # new"}, pki.rsa_key())
        run("_keep", 3)
    assert copy(client)["files"] == before
    assert caplog.text.count("cannot keep the hub's policies: no signature of the hub") == 1


def test_a_hub_that_does_not_answer_leaves_what_is_kept(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    run("_keep", 1)
    before = client._COPY.read_text()
    world.files = None
    run("_keep", 3)
    assert client._COPY.read_text() == before


def test_a_copy_signed_with_a_former_key_is_fetched_again(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES, former := pki.rsa_key())
    client._hub_key, current = pki.public_key(former), client._hub_key
    run("_keep", 1)
    client._hub_key = current
    world.distribute(POLICIES)
    run("_keep", 1)
    assert client._stored()["files"].keys() >= POLICIES.keys()


def test_new_policies_of_which_opal_is_not_notified_are_loaded(client: Any, world: World, run: Any) -> None:
    """OPAL lost its connection to the hub, which is back, and OPAL's server has the new policies a moment later."""
    world.distribute(POLICIES)
    world.policies = dict(POLICIES)
    news = {**POLICIES, "b.rego": "package dive.b # new"}
    asked: list[int] = []

    def between() -> None:
        asked.append(sum(call.endswith("/policy-updater/trigger") for call in world.calls))
        if len(asked) == 1:
            world.distribute(news)
        if len(asked) == 3:
            world.policies = dict(news)

    run("_keep", 5, between)
    assert asked == [0, 1, 2, 2], "asks until they are in force"


def test_an_opa_that_forgot_gets_from_opal_what_opal_has(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    run("_keep", 1)
    world.opal, world.data = True, {"dive/coi": FEED}
    run("_watch", 3)
    assert world.policies == POLICIES
    assert not [call for call in world.calls if call.startswith("PUT")]


def test_one_question_shows_that_nothing_is_missing(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    run("_keep", 1)
    world.policies, world.data = dict(POLICIES), {"dive/coi": FEED}
    world.calls.clear()
    run("_watch", 3)
    assert world.calls == ["POST opa/v1/query"] * 3


@pytest.mark.parametrize("policies", [True, False], ids=["policies and data", "data alone"])
def test_without_the_hub_opa_gets_what_is_kept_at_the_second_look(
    client: Any, world: World, run: Any, policies: bool
) -> None:
    """OPAL's server has the policies even if the hub's API, which has the data, is away."""
    world.distribute(POLICIES)
    run("_keep", 1)
    world.files, world.opal = None, not policies
    run("_watch", 3)
    assert (world.policies, world.data) == (POLICIES, {"dive/coi": FEED})
    written = [call for call in world.calls if call.startswith("PUT")]
    assert written[0] == "PUT opa/v1/data/dive/coi"
    if policies:
        assert written[-1] == "PUT opa/v1/policies/authz.rego", "no decision is made by a part of the policies"
    else:
        assert written[1:] == []
    world.restart()
    run("_watch", 3)
    assert (world.policies, world.data) == (POLICIES, {"dive/coi": FEED})


@pytest.mark.parametrize("altered", ["b.rego", "data.json", distribution.SIGNATURES, "more.rego"])
def test_an_altered_copy_is_not_loaded(
    client: Any, world: World, run: Any, caplog: pytest.LogCaptureFixture, altered: str
) -> None:
    world.distribute(POLICIES)
    run("_keep", 1)
    kept = copy(client)
    kept["files"][altered] = '{"dive": {}}'
    client._COPY.write_text(json.dumps(kept))
    with caplog.at_level(logging.WARNING):
        run("_watch", 4)
    assert (world.policies, world.data) == ({}, {})
    assert "OPA gets no kept policies" in caplog.text
    assert "of the hub" in caplog.text or f"not what the hub signed: {altered}" in caplog.text


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"files": [], "tag": 1, "confirmed": 0}', "\0"])
def test_without_a_copy_opal_is_asked_at_every_look(client: Any, world: World, run: Any, text: str | None) -> None:
    if text is not None:
        client._COPY.write_text(text)
    run("_watch", 3)
    assert sum(call.endswith("/policy-updater/trigger") for call in world.calls) == 3
    assert (world.policies, world.data) == ({}, {})


def test_policies_that_opa_refuses_end_the_attempt_before_any_decision(
    client: Any, world: World, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.distribute({"authz.rego": "package dive.authz", "a.rego": "import data.dive.b"})
    run("_keep", 1)
    with caplog.at_level(logging.WARNING):
        run("_watch", 3)
    assert world.policies == {}
    assert "OPA refuses a.rego" in caplog.text
    assert sum(call.endswith("/policy-updater/trigger") for call in world.calls) == 3
