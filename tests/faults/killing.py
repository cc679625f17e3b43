"""Kill a deployment at a chosen point, and see what it leaves running.

A point is a boundary of one of our steps (reported over the socket of `DIVE_STEPS`, where the deployment waits for an
answer), or the moment after another provider has created a resource and before Pulumi has recorded it.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import psutil

from dive_infra.config.environment import STEPS
from tests.coalition.country import Country

_GATHER = 0.4  # seconds in which other threads reach points of their own
_LEFT = 15.0  # seconds in which what a killed engine leaves must have ended
_QUIET = 0.4  # seconds without work of a provider: it has done what it was asked


class Point(NamedTuple):
    """`moment` is `before` or `after` a step of ours, or `made` for a resource of another provider, by its type."""

    moment: str
    name: str


Chosen = Callable[[Point], bool]


class Boundaries:
    """Listen to the steps of a deployment, and hold those that are `chosen`."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.told: list[Point] = []
        self.held: list[Point] = []
        self.reached = Event()
        self._lines: list[socket.socket] = []
        self._folder = tempfile.TemporaryDirectory(prefix="dive-steps-")
        self.path = Path(self._folder.name) / "socket"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
                point = Point(*line.recv(1000).decode().strip().split(" ", 1))
            except (OSError, TypeError):
                return
            self.told.append(point)
            if self.chosen(point):
                self._lines.append(line)  # its thread waits, until the kill
                self.held.append(point)
                self.reached.set()
            else:
                with suppress(OSError), line:
                    line.sendall(b".")

    def let_go(self) -> None:
        """Let those pass that are held, and all that follow."""
        self.chosen = lambda _: False
        for line in self._lines:
            with suppress(OSError):
                line.sendall(b".")

    def __enter__(self) -> "Boundaries":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.close()
        for line in self._lines:
            line.close()
        self._folder.cleanup()


@dataclass
class Killed:
    """`points`: where it was killed, empty if it ended by itself; `lived`: seconds that our provider outlived it.

    `remained`: processes that did not end by themselves.
    """

    points: list[Point] = field(default_factory=list[Point])
    told: list[Point] = field(default_factory=list[Point])
    lived: float = 0.0
    remained: list[str] = field(default_factory=list[str])
    output: str = ""
    seconds: float = 0.0
    code: int | None = None


def deploy(country: Country, chosen: Chosen, provider_too: bool = False) -> Killed:
    """Run `pulumi up`, killed where `chosen` says; `provider_too`: together with the process of our providers."""
    boundaries = Boundaries(chosen)
    runner = country.runner
    command = [*runner.command("up", "--yes", "--skip-preview"), "--json"]
    environment = {**runner.environment, STEPS: str(boundaries.path)}
    killed = Killed()
    started = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            command, cwd=runner.folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as running,
    ):
        try:
            made = _made(running, output.fileno(), chosen, boundaries.reached)
            killed.points = [*boundaries.held, *made]
            if running.poll() is None:
                _kill(running, killed, provider_too)
                killed.points = [*boundaries.held, *made]
        finally:
            if running.poll() is None:
                running.kill()
            boundaries.close()
        output.seek(0)
        killed.output = output.read()
    killed.told, killed.code = boundaries.told, running.returncode
    killed.seconds = time.monotonic() - started
    return killed


def _made(running: "subprocess.Popen[bytes]", output: int, chosen: Chosen, reached: Event) -> list[Point]:
    """Wait for a chosen point; if another provider is creating there, stop the engine and let the provider finish."""
    seen, rest = 0, ""
    while running.poll() is None:
        if reached.wait(0.02):
            time.sleep(_GATHER)
            return []
        new = os.pread(output, 1 << 20, seen)
        seen += len(new)
        *lines, rest = (rest + new.decode(errors="replace")).split("\n")
        wanted = [point for line in lines for point in _creating(line) if chosen(point)]
        if wanted:
            time.sleep(_HEAD_START)
            running.send_signal(signal.SIGSTOP)
            _quiet(running)
            return wanted
    return []


_HEAD_START = 0.03  # seconds from the event of a create until the provider has its request


def _creating(line: str) -> Iterator[Point]:
    if not line.startswith("{"):
        return
    step = json.loads(line).get("resourcePreEvent", {}).get("metadata", {})
    if step.get("op") in ("create", "create-replacement") and step["type"].startswith(
        ("docker:", "keycloak:", "postgres")
    ):
        yield Point("made", step["type"])


def _quiet(running: "subprocess.Popen[bytes]") -> None:
    """Wait until the engine's children are idle: a stopped engine sends them no more requests."""
    family = [p for p in psutil.Process(running.pid).children(recursive=True) if "pulumi-resource" in p.name()]
    ends, before = time.monotonic() + _LEFT, [0.0]
    while time.monotonic() < ends:
        now = [_used(p) for p in family]
        if now == before:
            return
        before = now
        time.sleep(_QUIET)


def _used(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def _kill(running: "subprocess.Popen[bytes]", killed: Killed, provider_too: bool) -> None:
    family = psutil.Process(running.pid).children(recursive=True)
    ours = [p for p in family if "pulumi.dynamic" in " ".join(_words(p))]
    if provider_too:
        for process in ours:
            process.kill()
    running.kill()
    running.wait()
    began = time.monotonic()
    psutil.wait_procs(ours, timeout=_LEFT)
    if provider_too:
        return  # what remains is recovery's
    killed.lived = time.monotonic() - began
    _, alive = psutil.wait_procs([p for p in family if "pulumi-resource" in _name(p)], timeout=1)
    killed.remained = [_name(p) for p in alive]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
