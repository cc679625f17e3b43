"""Hosts of their own for countries: network namespaces with an address each, and a Docker engine in each.

The hosts reach one another through a bridge in a namespace of its own: a bridge in this machine's own namespace would
be filtered by the rules of its own engine. Everything ends with the block, also what an earlier run left behind.

This machine is on the same bridge, beside each host, as an operator is. `lost`, `partition` and `slow` disturb the
network for the time of a block.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from tests.coalition.slow_link import slow_link
from tests.support.waiting import wait_for

_OURS, _THEIRS = 1, 11  # the last part of this machine's address in a network, and of its first host's
_RANGES = "base=10.201.0.0/16,size=24"  # of an engine's networks: Docker's own ranges are too few for many links
_STARTS = 60  # seconds that an engine may take to answer
_ENDS = 60
_IPV4 = b"\x08\x00"  # the type of a frame

NEEDED = ("dockerd", "ip", "nsenter", "iptables")


@dataclass(frozen=True)
class Lan:
    """The network of some hosts; another `number` is another network, which may exist at the same time."""

    number: int = 0

    @property
    def name(self) -> str:
        """Return the name of its namespace, and of this machine's cable to it."""
        return f"divetest-lan{self.number}"

    @property
    def here(self) -> str:
        """Return this machine's address in it."""
        return self.address(_OURS)

    def address(self, last: int) -> str:
        return f"10.86.{self.number}.{last}"


@dataclass(frozen=True)
class Host:
    """A host with an engine, whose state is in `folder`."""

    name: str
    address: str
    folder: Path
    lan: Lan = Lan()

    @property
    def namespace(self) -> str:
        return f"divetest{self.lan.number}-{self.name}"

    @property
    def engine(self) -> str:
        """Return the address of the engine."""
        return f"unix://{self.folder}/engine.sock"

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.engine, version="auto")


def possible() -> bool:
    """Return True if this user may have hosts here."""
    return os.geteuid() == 0 and all(map(shutil.which, NEEDED))


@contextmanager
def lost(host: Host) -> Iterator[None]:
    """Take a host off the network."""
    _ip("-n", host.namespace, "link", "set", "lan", "down")
    try:
        yield
    finally:
        _connect(host)


@contextmanager
def partition(one: Host, other: Host) -> Iterator[None]:
    """Let no packet pass between two hosts, while all others reach both."""

    def isolated(how: str) -> None:
        for host in (one, other):
            _ip("-n", host.lan.name, "link", "set", host.name, "type", "bridge_slave", "isolated", how)

    isolated("on")
    try:
        yield
    finally:
        isolated("off")


@contextmanager
def slow(host: Host, delay: float, loss: float = 0.0, also_here: bool = False) -> Iterator[None]:
    """Delay each packet between a host and others by `delay` seconds, and lose a share of them.

    Those of this machine only if `also_here`: an operator is beside the own country.
    """
    lan, here = host.lan.name, ip_address(host.lan.here).packed
    near, far = ends = (f"{host.name}-near", f"{host.name}-far")

    def passes(frame: bytes) -> bool:
        addresses = frame[26:30], frame[30:34]  # of IPv4
        return frame[12:14] != _IPV4 or (here in addresses and not also_here)

    # The host's end of its cable leaves the bridge for one of its own, which the slow link joins with the other.
    with slow_link(ends, delay, loss, passes):
        _ip("-n", lan, "link", "add", "behind", "type", "bridge")
        for name, bridge in ((near, "behind"), (far, "bridge")):
            _ip("link", "set", name, "netns", lan)
            _ip("-n", lan, "link", "set", name, "master", bridge, "up")
        _ip("-n", lan, "link", "set", "behind", "up")
        _ip("-n", lan, "link", "set", host.name, "master", "behind")
        try:
            yield
        finally:
            _ip("-n", lan, "link", "set", host.name, "master", "bridge")
            _ip("-n", lan, "link", "delete", "behind")


@contextmanager
def hosts(
    names: Sequence[str], listens: Callable[[Host], Sequence[str]] = lambda _: (), number: int = 0
) -> Iterator[dict[str, Host]]:
    """Yield the hosts by name, each with an engine that answers; `listens`: further options of a host's engine.

    Their network has this number, which no other test may use at the same time.
    """
    folder = Path(tempfile.mkdtemp(prefix="dive-hosts-"))  # not a test's folder: the path of a socket must be short
    lan = Lan(number)
    made = {
        name: Host(name, lan.address(_THEIRS + place), folder / name, lan) for place, name in enumerate(sorted(names))
    }
    _remove_network(lan, made.values())
    engines: list[subprocess.Popen[bytes]] = []
    try:
        _make_network(lan, made.values())
        engines = [_start(host, listens(host)) for host in made.values()]
        for host, engine in zip(made.values(), engines, strict=True):
            await_answer(engine, host.folder / "log", lambda host=host: host.client().close(), _STARTS)
        yield made
    finally:
        for host, engine in zip(made.values(), engines, strict=False):
            _end(host, engine)
        _remove_network(lan, made.values())
        shutil.rmtree(folder)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _make_network(lan: Lan, made: Iterable[Host]) -> None:
    _ip("netns", "add", lan.name)
    _ip("-n", lan.name, "link", "add", "bridge", "type", "bridge")
    _ip("-n", lan.name, "link", "set", "bridge", "up")
    _ip("link", "add", lan.name, "type", "veth", "peer", "name", "machine", "netns", lan.name)
    _ip("-n", lan.name, "link", "set", "machine", "master", "bridge", "up")
    _ip("address", "add", f"{lan.here}/24", "dev", lan.name)
    _ip("link", "set", lan.name, "up")
    for host in made:
        _ip("netns", "add", host.namespace)
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        _ip("-n", lan.name, "link", "add", host.name, "type", "veth", "peer", "name", "lan", "netns", host.namespace)
        _ip("-n", lan.name, "link", "set", host.name, "master", "bridge", "up")
        _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "lan")
        _connect(host)


def _connect(host: Host) -> None:
    """Put a host on the network, with the route that it loses with it."""
    _ip("-n", host.namespace, "link", "set", "lan", "up")
    _ip("-n", host.namespace, "route", "replace", "default", "via", host.lan.here)


def _remove_network(lan: Lan, made: Iterable[Host]) -> None:
    for namespace in (*(host.namespace for host in made), lan.name):
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)  # with its ends of the cables
    subprocess.run(["ip", "link", "delete", lan.name], capture_output=True)


def _start(host: Host, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    host.folder.mkdir()
    # Not `ip netns exec`, which would hide the control groups.
    command = ["nsenter", f"--net=/run/netns/{host.namespace}", "dockerd", "--host", host.engine]
    command += ["--data-root", f"{host.folder}/data", "--exec-root", f"{host.folder}/run"]
    command += ["--pidfile", f"{host.folder}/engine.pid", "--log-level", "warn"]
    command += ["--default-address-pool", _RANGES, *options]
    with (host.folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def await_answer(server: "subprocess.Popen[bytes]", log: Path, answers: Callable[[], object], within: float) -> None:
    """Wait until a server that was started answers: until `answers` raises no error of a connection."""

    def answered() -> bool:
        assert server.poll() is None, "it ended"
        try:
            answers()
        except (OSError, DockerException):
            return False
        return True

    try:
        wait_for(answered, within)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text(errors='replace')}") from None


def _end(host: Host, engine: "subprocess.Popen[bytes]") -> None:
    with suppress(DockerException):
        client = host.client()
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        client.close()
    family = psutil.Process(engine.pid).children(recursive=True) if engine.poll() is None else []
    engine.send_signal(signal.SIGTERM)
    try:
        engine.wait(_ENDS)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()
    for left in psutil.wait_procs(family, 10)[1]:
        with suppress(psutil.NoSuchProcess):
            left.kill()
    for part in reversed(psutil.disk_partitions(all=True)):
        if part.mountpoint.startswith(f"{host.folder}/"):
            subprocess.run(["umount", "--lazy", part.mountpoint], check=True)
