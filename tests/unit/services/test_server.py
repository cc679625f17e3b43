"""The TLS server of our services: how it stops, and that neither large bodies nor many connections burden it."""

import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from dive_common import server
from dive_common.bodies import LARGEST_BODY
from dive_common.connections import MOST, MOST_OF_ONE
from dive_common.settings import ServiceFiles
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
from dive_common import problems
from dive_common.server import serve
from dive_common.settings import ServiceFiles

async def size(request):
    return PlainTextResponse(str(len(await request.body())))

serve(
    Starlette(
        routes=[
            Route("/", lambda request: PlainTextResponse("ok")),
            Route("/size", size, methods=["POST"]),
        ],
        exception_handlers={problems.HttpProblem: problems.answer},
    ),
    ServiceFiles(Path(sys.argv[1])),
    int(sys.argv[2]),
)
"""


@dataclass
class Service:
    """A running service, and a client with a connection to it."""

    process: subprocess.Popen[bytes]
    port: int
    trust: ssl.SSLContext
    client: httpx.Client


@pytest.fixture
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@pytest.fixture
def service(tmp_path: Path, free_port: int) -> Iterator[Service]:
    certificate, key, ca = certificates(Names(parse("FRA")))
    for name, text in (("tls.crt", certificate), ("tls.key", key), ("ca.pem", ca)):
        (tmp_path / name).write_text(text)
    common = ROOT / "services" / "common" / "src"
    command = [sys.executable, "-c", _SERVE, str(tmp_path), str(free_port)]
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with (
        subprocess.Popen(command, env={"PYTHONPATH": str(common)}, stderr=subprocess.DEVNULL) as process,
        httpx.Client(verify=trust, base_url=f"https://localhost:{free_port}") as client,
    ):
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    assert client.get("/").text == "ok"
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < deadline, "the server does not start"
                    time.sleep(0.1)
            yield Service(process, free_port, trust, client)
        finally:
            process.kill()


def test_a_service_stops_at_once_although_a_client_holds_an_idle_connection(service: Service) -> None:
    stopped = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(20)
    assert time.monotonic() - stopped < 4, "uvicorn itself gives up after five seconds"


def test_requests_of_two_threads_never_share_a_connection(service: Service, tmp_path: Path) -> None:
    """A pool may close what another thread was given (encode/httpcore#1110)."""

    def port(http: httpx.Client) -> int:
        stream = http.get(f"https://localhost:{service.port}/").extensions["network_stream"]
        return int(stream.get_extra_info("client_addr")[1])

    with ServiceFiles(tmp_path).http() as http:
        ours = port(http)
        with ThreadPoolExecutor(1) as thread:
            other = thread.submit(port, http).result()
            assert thread.submit(port, http).result() == other, "which it keeps"
        assert port(http) == ours != other


def test_uvicorn_still_takes_our_event_loop() -> None:
    config = uvicorn.Config("unused", loop=f"{server.__name__}:{server.ServerLoop.__name__}")
    assert config.get_loop_factory() is server.ServerLoop


@pytest.mark.parametrize("path", ["/", "/size"])
def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(service: Service, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {300 * 2**20}\r\n\r\n"
    plain = socket.create_connection(("localhost", service.port), timeout=10)
    with service.trust.wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(head.encode())
        answer = b""
        while part := connection.recv(65536):  # until the server closes the connection
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    assert f'"reason":"the body is larger than {LARGEST_BODY} bytes"'.encode() in answer
    assert service.client.get("/").text == "ok"


def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_large(service: Service) -> None:
    head = "POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    plain = socket.create_connection(("localhost", service.port), timeout=10)
    with service.trust.wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(head.encode() + chunk * (LARGEST_BODY // 0x4000))
        connection.sendall(chunk)  # the first that is too much; the body does not end
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    assert service.client.get("/").text == "ok"


def test_the_largest_body_is_read(service: Service) -> None:
    def parts() -> Iterator[bytes]:
        yield from (b"x" * 1024 for _ in range(LARGEST_BODY // 1024))

    assert service.client.post("/size", content=b"x" * LARGEST_BODY).text == str(LARGEST_BODY)
    assert service.client.post("/size", content=parts()).text == str(LARGEST_BODY)


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the system permits: a connection needs one at each end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(stack: ExitStack, service: Service, source: str, number: int) -> list[socket.socket]:
    """Open connections that say nothing, from an address of the loopback."""
    opened = [socket.create_connection(("127.0.0.1", service.port), 10, (source, 0)) for _ in range(number)]
    return [stack.enter_context(connection) for connection in opened]


def closed(connection: socket.socket, within: float = 0.5) -> bool:
    connection.settimeout(within)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def greets(service: Service, source: str) -> bool:
    """Whether the server completes a handshake with a client at this address."""
    try:
        with (
            socket.create_connection(("localhost", service.port), 5, (source, 0)) as plain,
            service.trust.wrap_socket(plain, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False


def memory(service: Service) -> int:
    """Return what the server's process holds, in KiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.usefixtures("many_files")
def test_one_address_holds_only_some_connections_and_keeps_no_one_else_out(service: Service) -> None:
    attacker, other = "127.0.0.2", "127.0.0.3"
    assert greets(service, attacker)
    with ExitStack() as stack:
        held = connect(stack, service, attacker, MOST_OF_ONE)
        assert not closed(held[-1])
        assert [closed(one) for one in connect(stack, service, attacker, 3)] == [True] * 3
        assert not greets(service, attacker)
        assert greets(service, other)
        assert service.client.get("/").text == "ok"
    deadline = time.monotonic() + 10
    while not greets(service, attacker):
        assert time.monotonic() < deadline, "its connections were closed"


@pytest.mark.usefixtures("many_files")
def test_no_more_connections_are_held_than_memory_is_there_for(service: Service) -> None:
    before = memory(service)
    with ExitStack() as stack:
        left = MOST - 1  # one is the client's
        for source in (2, 3, 4):
            held = connect(stack, service, f"127.0.0.{source}", min(left, MOST_OF_ONE))
            left -= len(held)
        assert (left, closed(held[-1])) == (0, False)
        assert [closed(one) for one in connect(stack, service, "127.0.0.9", 3)] == [True] * 3
        assert service.client.get("/").text == "ok"
        assert (memory(service) - before) / MOST < 100, "KiB for each; asyncio's own buffers take 285"
