"""The program with which tests burden servers: a server without limits holds and takes all that it sends."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest

from dive_infra.crypto import pki
from tests.coalition.attack import from_here
from tests.support.https_server import ROOT
from tests.support.tls import presenting

HOST = "server.example"


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that reads everything, and never answers."""
    leaf = pki.issue(HOST, 1, pki.Issuer(ROOT.chain, ROOT.key), [HOST])
    found: list[Any] = []
    ready = Event()

    async def takes(reader: asyncio.StreamReader, _: Any) -> None:
        with suppress(OSError):
            while await reader.read(2**20):
                pass

    async def serve() -> None:
        ended = asyncio.Event()
        server = await asyncio.start_server(takes, "127.0.0.1", 0, ssl=presenting(leaf))
        found.extend((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), ended))
        ready.set()
        await ended.wait()
        server.close()

    thread = Thread(target=asyncio.run, args=[serve()])  # ends what reads still
    thread.start()
    assert ready.wait(10)
    at, loop, ended = found
    yield at
    loop.call_soon_threadsafe(ended.set)
    thread.join()


def test_a_server_without_limits_holds_every_connection_and_takes_every_byte(port: int) -> None:
    kinds = dict.fromkeys(("silent", "idle", "slow"), 20)
    asked = {"address": "127.0.0.1", "port": port, "host": HOST, "seconds": 60, **kinds}
    with from_here({**asked, "paths": ["/"], "bodies": 2, "size": 2**22}) as done:
        assert {kind: done[kind] for kind in kinds} == kinds
        assert [body["taken"] for body in done["bodies"]] == [2**22] * 2
