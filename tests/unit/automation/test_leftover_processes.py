"""What a killed engine leaves running is ended; what an engine that lives has started is left alone."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dive_infra.automation import leftover_processes

Process = subprocess.Popen[bytes]
Start = Callable[[str], Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program that is called like a provider's, with the address of an engine; it starts another one."""
    program = tmp_path / "pulumi-resource-test"
    program.write_text("#!/bin/sh\nsleep 99\n")
    program.chmod(0o700)
    started: list[Process] = []

    def run(address: str) -> Process:
        process = subprocess.Popen([str(program), address], cwd=tmp_path)
        started.append(process)
        while not psutil.Process(process.pid).children():
            assert process.poll() is None
        return process

    yield run
    for process in started:
        for below in psutil.Process(process.pid).children() if process.poll() is None else []:
            below.kill()
        process.kill()
        process.wait()


@pytest.fixture
def engine() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def address(engine: socket.socket) -> str:
    return f"127.0.0.1:{engine.getsockname()[1]}"


def test_what_a_dead_engine_left_in_the_folder_is_ended(tmp_path: Path, engine: socket.socket, start: Start) -> None:
    process = start(address(engine))
    below = psutil.Process(process.pid).children()
    assert leftover_processes.end_in_folder(tmp_path) == []
    assert process.poll() is None, "its engine answers"
    engine.close()
    assert leftover_processes.end_in_folder(tmp_path.parent) == []
    assert process.poll() is None, "it works on another program"
    assert [told.endswith(f"(pid {process.pid})") for told in leftover_processes.end_in_folder(tmp_path)] == [True]
    process.wait(5)  # it does not end by itself
    assert not psutil.wait_procs(below, 5)[1]


def test_of_one_engine_all_programs_are_ended(engine: socket.socket, start: Start) -> None:
    process, other = start(address(engine)), start("127.0.0.1:9")
    leftover_processes.end_for_engine(address(engine))
    process.wait(5)  # it does not end by itself
    assert other.poll() is None
