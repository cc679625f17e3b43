"""Hosts of their own for countries: network namespaces with an address each, and a Docker engine in each.

The hosts reach one another through a bridge in a namespace of its own: a bridge in this machine's own namespace would
be filtered by the rules of its own engine. Everything ends with the block, also what an earlier run left behind.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

_NETWORK = "10.86.0"
_LAN = "divetest-lan"
_OURS = 1  # the last part of this machine's address there; those of the hosts follow ten later
_RANGES = "base=10.201.0.0/16,size=24"  # of an engine's networks: Docker's own ranges are too few for many links
_STARTS = 60  # seconds that an engine may take to answer
_ENDS = 60

NEEDED = ("dockerd", "ip", "nsenter", "iptables")


@dataclass(frozen=True)
class Host:
    """A host with an engine, whose state is in `folder`."""

    name: str
    address: str
    folder: Path

    @property
    def namespace(self) -> str:
        return f"divetest-{self.name}"

    @property
    def engine(self) -> str:
        """Return the address of the engine."""
        return f"unix://{self.folder}/engine.sock"

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.engine, version="auto")

    def disconnect(self) -> None:
        """Take the host off the network."""
        _ip("-n", self.namespace, "link", "set", "lan", "down")

    def connect(self) -> None:
        """Put it back on the network, with the route that it has lost meanwhile."""
        _ip("-n", self.namespace, "link", "set", "lan", "up")
        _ip("-n", self.namespace, "route", "replace", "default", "via", f"{_NETWORK}.{_OURS}")


def possible() -> bool:
    """Return True if this user may have hosts here."""
    return os.geteuid() == 0 and all(map(shutil.which, NEEDED))


@contextmanager
def hosts(names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """Yield the hosts by name, each with an engine that answers."""
    folder = Path(tempfile.mkdtemp(prefix="dive-hosts-"))  # not a test's folder: the path of a socket must be short
    made = {
        name: Host(name, f"{_NETWORK}.{_OURS + 10 + place}", folder / name) for place, name in enumerate(sorted(names))
    }
    _remove_network([host.namespace for host in made.values()])
    engines: list[subprocess.Popen[bytes]] = []
    try:
        _make_network([*made.values()])
        engines = [_start(host) for host in made.values()]
        for host, engine in zip(made.values(), engines, strict=True):
            _await(host, engine)
        yield made
    finally:
        for host, engine in zip(made.values(), engines, strict=False):
            _end(host, engine)
        _remove_network([host.namespace for host in made.values()])
        shutil.rmtree(folder)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _make_network(made: Sequence[Host]) -> None:
    _ip("netns", "add", _LAN)
    _ip("-n", _LAN, "link", "add", "bridge", "type", "bridge")
    _ip("-n", _LAN, "link", "set", "bridge", "up")
    _ip("link", "add", _LAN, "type", "veth", "peer", "name", "machine", "netns", _LAN)
    _ip("-n", _LAN, "link", "set", "machine", "master", "bridge", "up")
    _ip("address", "add", f"{_NETWORK}.{_OURS}/24", "dev", _LAN)
    _ip("link", "set", _LAN, "up")
    for host in made:
        _ip("netns", "add", host.namespace)
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        _ip("-n", _LAN, "link", "add", host.name, "type", "veth", "peer", "name", "lan", "netns", host.namespace)
        _ip("-n", _LAN, "link", "set", host.name, "master", "bridge", "up")
        _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "lan")
        host.connect()


def _remove_network(namespaces: Sequence[str]) -> None:
    for namespace in (*namespaces, _LAN):
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)  # with its ends of the cables
    subprocess.run(["ip", "link", "delete", _LAN], capture_output=True)


def _start(host: Host) -> "subprocess.Popen[bytes]":
    host.folder.mkdir()
    # Not `ip netns exec`, which would hide the control groups.
    command = ["nsenter", f"--net=/run/netns/{host.namespace}", "dockerd", "--host", host.engine]
    command += ["--data-root", f"{host.folder}/data", "--exec-root", f"{host.folder}/run"]
    command += ["--pidfile", f"{host.folder}/engine.pid", "--log-level", "warn"]
    command += ["--default-address-pool", _RANGES]
    with (host.folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _await(host: Host, engine: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + _STARTS
    while not _answers(host):
        log = (host.folder / "log").read_text(errors="replace")
        assert engine.poll() is None, log
        assert time.monotonic() < ends, log
        time.sleep(0.2)


def _answers(host: Host) -> bool:
    try:
        host.client().close()
    except DockerException:
        return False
    return True


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
