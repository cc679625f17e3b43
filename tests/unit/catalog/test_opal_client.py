"""The configuration of the OPAL client, which is a file of its container: what it takes from the hub, and gives OPA.

With OPAL itself: `tests/providers/test_opal.py`.
"""

import asyncio
import http.client
import io
import json
import logging
import resource
import sys
import tarfile
import urllib.error
from collections.abc import Callable, Coroutine
from email.message import Message
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jwt
import pytest

from dive_backend import distribution
from dive_infra.catalog import opal
from dive_infra.crypto import pki
from dive_infra.identity import opal_token
from tests.support.https_server import ROOT

KEY, OWN = pki.rsa_key(), pki.rsa_key()
TEXT = (Path(opal.__file__).parent / "client.py").read_text()
FEED_PORT = 7443


def awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine; `asyncio.run` would leave the other tests of this process without a loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


class Enough(Exception):
    """Ends the thread, which never ends by itself."""


class PolicyUpdater:
    """OPAL's, which is in the image alone: connects with headers, and loads what is announced."""

    def __init__(self) -> None:
        self._extra_headers: list[tuple[str, str]] = []

    def connects(self) -> list[tuple[str, str]]:
        return list(self._extra_headers)

    async def update_policy(self, directories: list[str], force_full_update: bool) -> None:
        raise AssertionError("OPAL loads policies itself")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files, variables and packages of the container."""
    files = {
        "policy.key": OWN,
        "ca.pem": ROOT.chain,
        "hub-policies.pub": pki.public_key(KEY),
        "signature.py": (Path(opal.__file__).parent / "signature.py").read_text(),
        "opal_token.py": Path(opal_token.__file__).read_text(),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HUB_BUNDLE_URL", "https://hub")
    monkeypatch.setenv("HUB_BUNDLE_COPY", str(tmp_path / "copy.json"))
    monkeypatch.setenv("OPAL_SERVER_URL", "https://opal")
    monkeypatch.setenv("UVICORN_PORT", "1")
    monkeypatch.setenv("FEED_PORT", str(FEED_PORT))
    monkeypatch.setenv("COUNTRY", "FRA")
    for name in ("OPAL_AUTH_PUBLIC_KEY", "OPAL_AUTH_PUBLIC_KEY_FORMAT"):
        monkeypatch.setenv(name, "")  # the module sets them; put back afterwards
    package, store = ModuleType("opal_client"), ModuleType("store")
    vars(package)["client"] = SimpleNamespace(PolicyUpdater=PolicyUpdater)
    vars(store)["MockPolicyStoreClient"] = type("MockPolicyStoreClient", (), {})
    monkeypatch.setitem(sys.modules, "opal_client", package)
    rpc = ModuleType("rpc")
    vars(rpc)["WebSocketRpcClient"] = SimpleNamespace(DEFAULT_RETRY_CONFIG={"wait": "longer", "retry": "no refusal"})
    monkeypatch.setitem(sys.modules, "fastapi_websocket_rpc", ModuleType("fastapi_websocket_rpc"))
    monkeypatch.setitem(sys.modules, "fastapi_websocket_rpc.websocket_rpc_client", rpc)
    monkeypatch.setitem(sys.modules, "opal_client.policy_store", ModuleType("opal_client.policy_store"))
    monkeypatch.setitem(sys.modules, "opal_client.policy_store.mock_policy_store_client", store)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # this process keeps its own
    return tmp_path


def loaded(folder: Path) -> Any:
    module = ModuleType("gunicorn_conf")
    exec(compile(TEXT.replace("/etc/dive", str(folder)), "client.py", "exec"), vars(module))
    return module


@pytest.fixture
def client(folder: Path) -> Any:
    return loaded(folder)


def started(client: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"bind": "0.0.0.0:1"}  # as the command line of the image says
    client.on_starting(SimpleNamespace(cfg=SimpleNamespace(set=settings.__setitem__)))
    return settings


# OPAL.


def test_opals_own_api_is_open_within_its_container_only(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPAL asks for no token at `/policy-updater/trigger` and `/data-updater/trigger`."""
    monkeypatch.setattr(client, "_request", lambda *_: BytesIO())
    assert started(client) == {"bind": ["127.0.0.1:1", f"0.0.0.0:{FEED_PORT}"]}


def test_an_announcement_has_the_hub_asked_and_opal_loads_nothing(client: Any) -> None:
    awaited(client.opal.PolicyUpdater().update_policy(["."], False))
    assert client._news.is_set()


def test_each_connection_has_a_token_of_its_moment_that_ends(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([1000, 9000])
    monkeypatch.setattr(opal_token.time, "time", lambda: next(now))
    updater = client.opal.PolicyUpdater()
    ends = []
    for [(name, bearer)] in (updater.connects(), updater.connects()):
        assert name == "Authorization"
        claims = jwt.decode(
            bearer.removeprefix("Bearer "),
            pki.public_key(OWN),
            ["RS256"],
            audience=opal_token.OPAL_AUDIENCE,
            issuer="FRA",
            options={"verify_exp": False},
        )
        ends.append(claims["exp"])
    assert ends == [1000 + opal_token.LIFETIME, 9000 + opal_token.LIFETIME]


def test_a_refusal_of_the_opal_server_is_waited_out(client: Any) -> None:
    """By what tenacity tries again if nothing is said: any exception."""
    assert client.WebSocketRpcClient.DEFAULT_RETRY_CONFIG == {"wait": "longer"}


@pytest.mark.parametrize("code", [401, 403])
def test_a_token_that_the_hub_refuses_ends_the_client_unless_the_hub_signed_something(
    client: Any, world: Any, run: Any, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(url: str, **_: str) -> Any:
        raise urllib.error.HTTPError(url, code, "no", Message(), None)

    with monkeypatch.context() as cut_off:
        cut_off.setattr(client, "_request", refused)
        with pytest.raises(SystemExit, match=f"refuses this country's token: {code}"):
            started(client)
    world.distribute(POLICIES)
    run(1)
    monkeypatch.setattr(client, "_request", refused)
    started(client)


def test_a_hub_that_is_down_ends_no_client(client: Any, world: Any) -> None:
    started(client)


# What the hub signed.

POLICIES = {"authz.rego": "package dive.authz", "a.rego": "import data.dive.b", "b.rego": "package dive.b"}
NEWS = {**POLICIES, "b.rego": "package dive.b # new"}
FEED = {"success": True, "coi": ["é\u2028"]}


class World:
    """A hub. `packed`: what it distributes, None if it does not answer; it signs later each time."""

    def __init__(self) -> None:
        self.packed: bytes | None = None
        self.calls: list[str] = []
        self.now = 1000
        self.tagged = True

    def distribute(self, policies: dict[str, str], key: str = KEY) -> dict[str, bytes]:
        self.now += 1
        data = distribution._json({"dive": {"coi": FEED}})
        files = {path: text.encode() for path, text in policies.items()} | {"data.json": data}
        files |= {distribution.SIGNATURES: distribution.signature(files, key, self.now)}
        self.packed = distribution.bundle(files)
        return files

    def request(self, url: str, **headers: str) -> Any:
        self.calls.append(url)
        if self.packed is None:
            raise ConnectionRefusedError("refused")
        tag = f'"{hash(self.packed)}"'
        if headers.get("If_None_Match") == tag:
            raise urllib.error.HTTPError("https://hub", 304, "Not Modified", Message(), None)
        response = BytesIO(self.packed)
        response.headers = {"ETag": tag if self.tagged else None}  # type: ignore[attr-defined]
        return response


@pytest.fixture
def world(client: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(client, "_request", made.request)
    return made


@pytest.fixture
def run(client: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the client ask the hub so many times; `between` runs before each of them but the first."""

    def asks(count: int, between: Callable[[], object] = lambda: None) -> None:
        left = [count - 1]  # it asks before it waits

        def waited(_: float) -> None:
            if not left[0]:
                raise Enough
            between()
            left[0] -= 1

        monkeypatch.setattr(client._news, "wait", waited)
        monkeypatch.setattr(client.time, "sleep", lambda _: None)
        with pytest.raises(Enough):
            client._keep()

    return asks


def copy(client: Any) -> Any:
    return json.loads(client._COPY.read_text())


def fed(client: Any, port: int = FEED_PORT, kind: str = "http", known: str = "") -> tuple[int, str, dict[str, str]]:
    """What OPA gets: the status, the tag, and the files of the bundle; ("opal",) for what is left to OPAL."""
    sent: list[dict[str, Any]] = []

    async def opal_itself(*_: Any) -> None:
        sent.append({"status": 0})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    worker = SimpleNamespace(wsgi=opal_itself)
    client.post_worker_init(worker)
    headers = [(b"if-none-match", known.encode())] if known else []
    awaited(worker.wsgi({"type": kind, "server": ("10.0.0.2", port), "headers": headers}, None, send))
    if "status" not in sent[0]:
        return -1, str(sent[0]["type"]), {}
    tag = dict(sent[0].get("headers", [])).get(b"etag", b"").decode()
    body = sent[1]["body"] if len(sent) > 1 else b""
    if not body:
        return sent[0]["status"], tag, {}
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return sent[0]["status"], tag, {m.name: f.read().decode() for m in tar if (f := tar.extractfile(m))}


@pytest.fixture(autouse=True)
def no_thread(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.threading, "Thread", lambda **_: SimpleNamespace(start=lambda: None))


def test_what_the_hub_signed_is_kept_and_given_to_opa(client: Any, world: World, run: Any) -> None:
    assert fed(client)[0] == 503
    assert not awaited(client.MockPolicyStoreClient().is_healthy())
    files = {path: content.decode() for path, content in world.distribute(POLICIES).items()}
    run(1)
    assert copy(client)["files"] == files
    assert not client._COPY.with_suffix(".new").exists()
    status, tag, given = fed(client)
    assert (status, given) == (200, files)
    assert fed(client, known=tag) == (304, tag, {})
    assert awaited(client.MockPolicyStoreClient().is_healthy())


@pytest.mark.parametrize(("port", "kind"), [(1, "http"), (1, "websocket"), (FEED_PORT, "lifespan")])
def test_what_is_not_asked_at_the_port_of_opa_is_left_to_opal(client: Any, port: int, kind: str) -> None:
    assert fed(client, port, kind)[0] == 0


def test_the_port_of_opa_answers_nothing_else(client: Any) -> None:
    assert fed(client, kind="websocket")[:2] == (-1, "websocket.close")


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

    run(4, later)
    assert kept == [1000, 1000, 1040], "not at every question"
    world.distribute(NEWS)
    now[0] += 1
    run(1)
    assert copy(client)["files"]["b.rego"] == fed(client)[2]["b.rego"] == NEWS["b.rego"]


def _older(world: World) -> None:
    world.now -= 10
    world.distribute(NEWS)


def _forged(world: World) -> None:
    world.distribute(NEWS, pki.rsa_key())


def _altered(world: World) -> None:
    files = world.distribute(POLICIES)
    world.packed = distribution.bundle(files | {"b.rego": b"package dive.b # new"})


def _broken(world: World) -> None:
    world.distribute(NEWS)
    assert world.packed
    world.packed = world.packed[:-40]


def _away(world: World) -> None:
    world.packed = None


REFUSED = [
    (_older, "refused: the hub answers what it signed at 1970-01-01 00:16:32 UTC, older than what this country has"),
    (_forged, "no signature of the hub"),
    (_altered, "not what the hub signed: b.rego"),
    (_broken, "nothing is taken from the hub"),
    (_away, "refused"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED, ids=[change.__name__[1:] for change, _ in REFUSED])
def test_what_the_hub_did_not_sign_or_signed_before_replaces_nothing(
    client: Any, world: World, run: Any, caplog: pytest.LogCaptureFixture, change: Callable[[World], None], says: str
) -> None:
    world.distribute(POLICIES)
    run(1)
    before, given = client._COPY.read_text(), fed(client)
    with caplog.at_level(logging.WARNING):
        change(world)
        run(3)
    assert (client._COPY.read_text(), fed(client)) == (before, given)
    assert caplog.text.count("nothing is taken from the hub: ") == 1, "it says so once"
    assert says in caplog.text


def test_a_restarted_client_refuses_what_is_older_than_its_copy(
    folder: Path, client: Any, world: World, run: Any
) -> None:
    world.distribute(POLICIES)
    run(1)
    again = loaded(folder)
    again._take(again._stored(), "kept")
    _older(world)
    again._request = world.request
    with pytest.raises(ValueError, match="older than what this country has"):
        again._distributed(again._held)


def test_what_was_refused_once_is_taken_when_the_hub_signs_it_again(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    run(1)
    _older(world)
    run(1)
    world.now += 100
    world.distribute(NEWS)
    run(1)
    assert fed(client)[2]["b.rego"] == NEWS["b.rego"]


def test_a_copy_signed_with_a_former_key_is_fetched_again(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES, former := pki.rsa_key())
    client._hub_key, current = pki.public_key(former), client._hub_key
    run(1)
    client._hub_key = current
    client._held.clear()
    world.distribute(POLICIES)
    run(1)
    assert client._stored()["files"].keys() >= POLICIES.keys()


def test_without_the_hub_opa_gets_what_is_kept(folder: Path, client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    run(1)
    again = loaded(folder)
    again._take(again._stored(), "kept")
    assert (fed(again)[0], fed(again)[2]) == (200, fed(client)[2])


def test_an_answer_without_a_tag_is_taken_if_the_hub_signed_it(client: Any, world: World, run: Any) -> None:
    world.distribute(POLICIES)
    world.tagged = False
    run(3)
    assert fed(client)[0] == 200


@pytest.mark.parametrize("altered", ["b.rego", "data.json", distribution.SIGNATURES, "more.rego"])
def test_an_altered_copy_is_not_given_to_opa(
    folder: Path, client: Any, world: World, run: Any, caplog: pytest.LogCaptureFixture, altered: str
) -> None:
    world.distribute(POLICIES)
    run(1)
    kept = copy(client)
    kept["files"][altered] = '{"dive": {}}'
    client._COPY.write_text(json.dumps(kept))
    client._held.clear()
    client._fed = ("", b"")
    world.packed = None
    with caplog.at_level(logging.WARNING):
        run(2)
    assert fed(client)[0] == 503
    assert "no policies of the hub are kept yet" in caplog.text
    assert "of the hub" in caplog.text or f"not what the hub signed: {altered}" in caplog.text


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"files": [], "tag": 1, "confirmed": 0}', "\0"])
def test_without_a_copy_opa_gets_nothing_until_the_hub_answers(
    client: Any, world: World, run: Any, text: str | None
) -> None:
    if text is not None:
        client._COPY.write_text(text)
    run(2)
    assert fed(client)[0] == 503
    world.distribute(POLICIES)
    run(1)
    assert fed(client)[0] == 200


@pytest.mark.parametrize(
    "broken",
    [
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected("gone"),
        ConnectionRefusedError(),
        TimeoutError(),
        json.JSONDecodeError("half", "", 0),
        EOFError(),
        tarfile.ReadError(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_the_hub_is_asked_again_after_any_answer_that_broke_off(
    client: Any, world: World, run: Any, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    answers = [broken]

    def request(url: str, **headers: str) -> Any:
        if answers:
            raise answers.pop()
        return world.request(url, **headers)

    world.distribute(POLICIES)
    monkeypatch.setattr(client, "_request", request)
    run(2)
    assert fed(client)[0] == 200
