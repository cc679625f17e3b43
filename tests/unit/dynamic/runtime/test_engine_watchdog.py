"""The process that runs our providers ends with its engine, and not before."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

PROGRAM = (
    "import sys, time; from dive_infra.dynamic.runtime.engine_watchdog import watch; watch(sys.argv[1]); time.sleep(60)"
)


@pytest.fixture
def engine() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def server(engine: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
    address = f"127.0.0.1:{engine.getsockname()[1]}"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, address])
    yield process
    process.kill()
    process.wait()


def test_it_ends_within_two_seconds_of_its_engine(engine: socket.socket, server: "subprocess.Popen[bytes]") -> None:
    line, _ = engine.accept()
    engine.close()
    started = time.monotonic()
    line.close()
    assert server.wait(timeout=10) == 1
    assert time.monotonic() - started < 2


def test_a_line_that_the_engine_closes_is_taken_up_again(
    engine: socket.socket, server: "subprocess.Popen[bytes]"
) -> None:
    for _ in range(3):
        line, _ = engine.accept()
        line.close()
    engine.accept()
    assert server.poll() is None
