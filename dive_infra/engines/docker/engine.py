"""Which Docker engine: the selected one, or as root on Debian one that is installed and started here."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import docker
from docker.errors import DockerException

from dive_infra.config.json_file import FileError
from dive_infra.config.timeouts import ENGINE_ANSWER, ENGINE_REQUEST, ENGINE_START
from dive_infra.engines.docker import docker_config
from dive_infra.engines.engine import Endpoint, EngineError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain import debian
from dive_infra.toolchain.debian import Progress

SOCKET = "unix:///var/run/docker.sock"
LOG = Path("/var/log/dockerd.log")
SYSTEMD = Path("/run/systemd/system")  # exists while systemd manages this machine


def host() -> tuple[str, str]:
    """Return the address of the selected engine and what selected it: DOCKER_HOST, the context, or the default."""
    if named := os.environ.get("DOCKER_HOST"):
        return named, "DOCKER_HOST"
    try:
        context = os.environ.get("DOCKER_CONTEXT") or docker_config.read().current_context
        if not context or context == "default":
            return SOCKET, "the default socket"
        found = docker_config.context(context)
    except FileError as error:
        raise _of_file(error) from None
    if found is None:
        raise EngineError(f"docker context {context!r}: not found; expected one of `docker context ls`")
    endpoint, tls = found
    if tls:
        raise EngineError(
            f"docker context {context!r} uses TLS files",
            Remedy.decide(
                f"give them as DOCKER_HOST={endpoint}, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, "
                "which every tool here reads"
            ),
        )
    return endpoint, f"docker context {context!r}"


def client(timeout: int = ENGINE_REQUEST) -> docker.DockerClient:
    """Return a client of that engine; `timeout` in seconds for one request. Raises `EngineError` without an answer."""
    endpoint, said_by = host()
    try:
        docker_config.read()  # Docker's library reads it too, and expects its shape
    except FileError as error:
        raise _of_file(error) from None
    try:
        return docker.DockerClient.from_env(
            version="auto", timeout=timeout, environment={**os.environ, "DOCKER_HOST": endpoint}
        )
    except (ValueError, TypeError) as error:  # an `auth` that is not what `docker login` writes
        raise EngineError(
            f"{docker_config.file()} is not usable: {error}", Remedy.decide("run `docker login` again, or mend it")
        ) from None
    except DockerException as error:
        raise EngineError(
            f"no Docker engine answers at {endpoint} ({said_by}): {error}",
            Remedy.deploy(detail="as root on Debian it installs and starts one; else start it, or set DOCKER_HOST"),
        ) from error


def ensure(progress: Progress) -> str:
    """Return the DOCKER_HOST of an engine that answers; install and start one if that is ours to do."""
    endpoint, _ = host()
    try:
        client(ENGINE_ANSWER).close()
    except EngineError:
        if endpoint != SOCKET:
            raise
    else:
        return endpoint
    if not debian.possible():
        raise EngineError(
            f"no Docker engine answers at {SOCKET}, and only root on Debian can have one installed here",
            Remedy.decide(
                "install and start Docker (as an ordinary user: join the group `docker`), or set DOCKER_HOST"
            ),
        )
    with _one_at_a_time():
        if not shutil.which("dockerd"):
            debian.install(("docker.io", "iptables", "ca-certificates"), progress)
        _start(progress)
    return endpoint


def current() -> Endpoint:
    """Return where the selected engine is; ports that it publishes are on its own host's loopback."""
    address, selected_by = host()
    return Endpoint(
        address,
        selected_by,
        is_local=address.startswith("unix:"),
        is_default=address == SOCKET,
        default=SOCKET,
    )


def _of_file(error: FileError) -> EngineError:
    return EngineError(error.cause, error.remedy, expected=error.expected)


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
            raise EngineError(f"dockerd did not answer at {SOCKET} within {ENGINE_START} s; see {LOG}")
        time.sleep(0.2)


def _answers() -> bool:
    try:
        client(ENGINE_ANSWER).close()
    except EngineError:
        return False
    return True


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
