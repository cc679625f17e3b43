"""The configuration of the OPAL server, which is a file of its container: what it refuses before OPAL reads it.

With OPAL itself: `tests/providers/test_opal.py`.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dive_infra.catalog import opal
from dive_infra.crypto import pki
from dive_infra.identity import opal_token

TEXT = (Path(opal.__file__).parent / "server.py").read_text()
LARGEST = 64 * 1024
OWN = pki.rsa_key()


class Unauthorized(Exception):
    """OPAL's."""


class HTTPException(Exception):
    """FastAPI's, which is in the image alone."""

    def __init__(self, status_code: int, detail: str, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self.status_code, self.headers = status_code, headers


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    members = json.dumps({"FRA": pki.public_key(OWN), "USA": pki.public_key(OWN)})
    for name, text in {"members.json": members, "opal-master": "m", "hub-token": "t"}.items():
        (tmp_path / name).write_text(text)
    fastapi, authentication = ModuleType("fastapi"), ModuleType("opal_common.authentication")
    vars(fastapi)["HTTPException"] = HTTPException
    vars(authentication)["verifier"] = SimpleNamespace(JWTVerifier=SimpleNamespace(), Unauthorized=Unauthorized)
    monkeypatch.setenv("OPAL_AUTH_JWT_AUDIENCE", opal_token.OPAL_AUDIENCE)
    for module in (fastapi, ModuleType("opal_common"), authentication):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    keys = [f"AUTH_{half}_KEY{end}" for half in ("PRIVATE", "PUBLIC") for end in ("", "_FORMAT")]
    for name in ("AUTH_MASTER_TOKEN", "POLICY_REPO_WEBHOOK_SECRET", "POLICY_BUNDLE_SERVER_TOKEN", *keys):
        monkeypatch.setenv(f"OPAL_{name}", "")  # the module sets them; put back afterwards
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # this process keeps its own
    loaded = ModuleType("gunicorn_conf")
    exec(compile(TEXT.replace("/etc/dive", str(tmp_path)), "server.py", "exec"), vars(loaded))
    return loaded


def test_a_member_may_announce_and_nothing_else_and_its_token_ends(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = server._verify(None, opal_token.mint_opal_token(OWN, "FRA"))
    assert (claims["country"], claims["permitted_topics"]) == ("FRA", ["policy:."])
    with pytest.raises(Unauthorized, match="MissingRequiredClaimError"):
        server._verify(None, opal_token.mint_hub_token(OWN, "FRA"))
    monkeypatch.setattr(opal_token, "time", SimpleNamespace(time=lambda: 1000))
    with pytest.raises(Unauthorized, match="ExpiredSignatureError"):
        server._verify(None, opal_token.mint_opal_token(OWN, "FRA"))


def test_what_the_servers_own_key_signs_is_no_members_token(server: Any) -> None:
    private = os.environ["OPAL_AUTH_PRIVATE_KEY"]
    with pytest.raises(Unauthorized, match="InvalidSignatureError"):
        server._verify(None, opal_token.mint_opal_token(private, "FRA"))


async def whole(_: Any, receive: Any, send: Any) -> None:
    """Read the whole body, as OPAL does, and answer its size."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send(size)


def asked(server: Any, kind: str, parts: list[bytes]) -> list[Any]:
    worker = SimpleNamespace(wsgi=whole)
    server.post_worker_init(worker)
    messages = [{"body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, start=1)]
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(answer: Any) -> None:
        answers.append(answer)

    asyncio.run(worker.wsgi({"type": kind}, receive, send))
    return answers


def test_a_small_body_is_read(server: Any) -> None:
    assert asked(server, "http", [b"x" * (LARGEST // 4)] * 4) == [LARGEST]


def test_a_large_body_is_refused_as_soon_as_it_is_too_large(server: Any) -> None:
    with pytest.raises(HTTPException) as refused:
        asked(server, "http", [b"x" * LARGEST, b"x", b"never received"])
    assert (refused.value.status_code, refused.value.headers) == (413, {"Connection": "close"})


def test_what_is_no_request_has_no_body_to_limit(server: Any) -> None:
    assert asked(server, "websocket", [b"x" * (LARGEST + 1)]) == [LARGEST + 1]


@pytest.mark.parametrize(("most", "limit"), [(resource.RLIM_INFINITY, 2048), (524_288, 2048), (1024, 1024)])
def test_the_server_has_few_files_and_so_few_connections(
    server: Any, monkeypatch: pytest.MonkeyPatch, most: int, limit: int
) -> None:
    found: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    monkeypatch.setattr(resource, "setrlimit", lambda *given: found.append(given))
    server.post_worker_init(SimpleNamespace(wsgi=whole))
    assert found == [(resource.RLIMIT_NOFILE, (limit, most))]
