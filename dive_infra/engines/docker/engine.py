"""Connections to the Docker engine, which as root on Debian is installed and started here if it is this machine's."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from dive_infra.config.json_file import FileError
from dive_infra.config.timeouts import ENGINE_ANSWER, ENGINE_REQUEST, ENGINE_START
from dive_infra.engines import selection
from dive_infra.engines.docker import docker_config, endpoint
from dive_infra.engines.engine import Endpoint, EngineError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain import debian
from dive_infra.toolchain.debian import Progress

LOG = Path("/var/log/dockerd.log")
SYSTEMD = Path("/run/systemd/system")  # exists while systemd manages this machine

# The kernel's words for processors -> those of images.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def client(timeout: int = ENGINE_REQUEST) -> docker.DockerClient:
    """Return a client of the current engine; `timeout` in seconds for one request.

    Raises `EngineError` without an answer.
    """
    return _client(endpoint.current(), timeout)


def client_here(timeout: int = ENGINE_REQUEST) -> docker.DockerClient | None:
    """Return a client of this machine's own engine, if a country runs on another one and this one answers."""
    here, current = endpoint.of_this_machine(), endpoint.current()
    chosen = selection.selected().address or not current.is_local
    if not chosen or here is None or here.address == current.address:
        return None
    try:
        found = _client(here, ENGINE_ANSWER)
    except EngineError:
        return None
    found.api.timeout = timeout
    return found


def architecture(info: Mapping[str, Any]) -> str:
    """Return what processor an engine has, of its `info`, in the words of images: `amd64`."""
    return _ARCHITECTURES.get(info["Architecture"], str(info["Architecture"]))


def architecture_here() -> str:
    """Return what processor this machine has, in the same words."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _client(at: Endpoint, timeout: int) -> docker.DockerClient:
    try:
        docker_config.read()  # Docker's library reads it too, and expects its shape
    except FileError as error:
        raise endpoint.of_file(error) from None
    try:
        if at.certificates or at.address.startswith(endpoint.SSH):
            from dive_infra.engines.docker import remote  # an engine at a socket needs none of it

            return remote.client(at, timeout)
        return docker.DockerClient.from_env(
            version="auto",
            timeout=timeout,
            environment={**os.environ, "DOCKER_HOST": at.address, **at.variables},
        )
    except (ValueError, TypeError) as error:  # an `auth` that is not what `docker login` writes
        raise EngineError(
            f"{docker_config.file()} is not usable: {error}", Remedy.decide("run `docker login` again, or fix it")
        ) from None
    except DockerException as error:
        remedy = Remedy.deploy(detail="as root on Debian it installs and starts one; else start it, or set DOCKER_HOST")
        raise EngineError(
            f"no Docker engine answers at {at.address} ({at.selected_by}): {error}",
            selection.unanswered() if selection.selected().address else remedy,
        ) from error


def ensure(progress: Progress) -> Endpoint:
    """Return the engine, which answers; install and start this machine's usual one if that is ours to do."""
    found = endpoint.current()
    try:
        _client(found, ENGINE_ANSWER).close()
    except EngineError:
        if not found.is_default:
            raise
    else:
        return found
    if not debian.possible():
        raise EngineError(
            f"no Docker engine answers at {found.address}, and only root on Debian can have one installed here",
            Remedy.decide(
                "install and start Docker (as an ordinary user: join the group `docker`), or set DOCKER_HOST"
            ),
        )
    with _one_at_a_time():
        if not shutil.which("dockerd"):
            debian.install(("docker.io", "iptables", "ca-certificates"), progress)
        _start(progress)
    return found


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with Path("/run/dive-engine.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield


def _start(progress: Progress) -> None:
    if _answers():
        return
    if SYSTEMD.is_dir():
        progress("starting Docker by systemd")
        done = subprocess.run(["systemctl", "enable", "--now", "docker"], capture_output=True, text=True)
        if done.returncode:
            raise EngineError(
                f"`systemctl enable --now docker` failed: {done.stderr.strip()}; see `journalctl -u docker`"
            )
        daemon = None
    else:
        progress(f"starting dockerd; its log is {LOG}")
        with LOG.open("ab") as log:  # in its own session: it outlives this process
            daemon = subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
    deadline = time.monotonic() + ENGINE_START
    while not _answers():
        if daemon and daemon.poll() is not None:
            raise EngineError(f"dockerd ended with code {daemon.returncode}:\n{_tail(LOG.read_text(errors='replace'))}")
        if time.monotonic() > deadline:
            raise EngineError(f"dockerd did not answer at {endpoint.SOCKET} within {ENGINE_START} s; see {LOG}")
        time.sleep(0.2)


def _answers() -> bool:
    try:
        client(ENGINE_ANSWER).close()
    except EngineError:
        return False
    return True


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
