"""The TLS server of our services: it stops at once, even while a client holds an idle connection."""

import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from dive_common import server
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from tests.support.lab import certificates

_SERVE = """
import sys
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from dive_common.server import serve
from dive_common.settings import ServiceFiles
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("ok"))])
serve(app, ServiceFiles(Path(sys.argv[1])), int(sys.argv[2]))
"""


@pytest.fixture
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def test_a_service_stops_at_once_although_a_client_holds_an_idle_connection(tmp_path: Path, free_port: int) -> None:
    certificate, key, ca = certificates(Names(parse("FRA")))
    for name, text in (("tls.crt", certificate), ("tls.key", key), ("ca.pem", ca)):
        (tmp_path / name).write_text(text)
    common = ROOT / "services" / "common" / "src"
    command = [sys.executable, "-c", _SERVE, str(tmp_path), str(free_port)]
    with (
        subprocess.Popen(command, env={"PYTHONPATH": str(common)}, stderr=subprocess.DEVNULL) as process,
        httpx.Client(verify=ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))) as client,
    ):
        deadline = time.monotonic() + 30
        while True:
            try:
                assert client.get(f"https://localhost:{free_port}/").text == "ok"
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.1)
        stopped = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert time.monotonic() - stopped < 4, "uvicorn itself gives up after five seconds"


def test_uvicorn_still_takes_our_event_loop() -> None:
    config = uvicorn.Config("unused", loop=f"{server.__name__}:{server.ServerLoop.__name__}")
    assert config.get_loop_factory() is server.ServerLoop
