"""Connections to an engine on another machine: by TLS, or through `ssh HOST docker system dial-stdio`.

Docker's own command uses the same way through ssh. Docker's library needs paramiko for it, and without that reads ssh's
pipes with no timeout; here ssh's input and output are a socket, on which the library's requests, streams and hijacked
connections work as they do on the engine's own.
"""

import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

import docker
import requests
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.errors import DockerException
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from dive_infra.config import environment
from dive_infra.config.engine_selection import FILES, SshTarget, ssh_target
from dive_infra.engines.docker.endpoint import SSH
from dive_infra.engines.engine import Endpoint, EngineError

# Each is a process and a session; sshd refuses some of more than ten that log in at a time.
CONNECTIONS = 8

_DIAL = "docker system dial-stdio"
_OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
_ENDED = 1.0  # seconds in which an ssh that has closed its output ends


def client(at: Endpoint, timeout: int) -> docker.DockerClient:
    """Return a client of the engine; `timeout` in seconds for one request. Raises `EngineError` or Docker's own."""
    by_ssh = at.address.startswith(SSH)
    # The library opens no connection here: the address of a socket only names its way of making URLs.
    found = docker.DockerClient(
        base_url="unix:///of/ssh" if by_ssh else at.address,
        version=MINIMUM_DOCKER_API_VERSION,
        timeout=timeout,
        tls=False if by_ssh else _tls(at.certificates),
    )
    try:
        if by_ssh:
            found.api.mount("http+docker://", _through_ssh(at.address))
        # A CA bundle or proxy in the environment would go before the engine's own.
        found.api.trust_env = False
        setattr(found.api, "_version", _version(found.api))  # noqa: B010 (it has no public way to be set later)
    except BaseException:
        found.close()
        raise
    return found


def _version(api: docker.APIClient) -> str:
    """Return the engine's own version of its interface."""
    try:
        return str(api.version(api_version=False)["ApiVersion"])
    except (KeyError, requests.exceptions.RequestException) as error:
        raise DockerException(_innermost(error)) from error


def _innermost(error: BaseException) -> str:
    """Return what happened, without the names of the layers that it passed through."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    return str(error)


def _tls(folder: str) -> TLSConfig:
    ca, cert, key = (f"{folder}/{name}" for name in FILES)
    return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)


@cache  # a connection takes up to a second to make: all clients of a process share them
def _through_ssh(address: str) -> "_Adapter":
    target = ssh_target(address)
    if target is None:
        raise EngineError(f"{address} is no address for ssh", expected="ssh://[user@]host[:port]")
    return _Adapter(command(target))


def command(target: SshTarget) -> list[str]:
    """Return the command whose input and output are a connection to the engine there."""
    user = ["-l", target.user] if target.user else []
    port = ["-p", target.port] if target.port else []
    return ["ssh", *_OPTIONS, *user, *port, "--", target.host, _DIAL]


class _Response(http.client.HTTPResponse):
    """A response whose buffer holds nothing of the body: Docker's library reads a hijacked connection past it."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = sock.makefile("rb", buffering=1)


class _Connection(HTTPConnection):
    """A connection that is the input and output of a process."""

    response_class = _Response
    _process: "subprocess.Popen[bytes]"
    _said: IO[bytes]

    def __init__(self, *arguments: Any, command: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._command = command

    def connect(self) -> None:
        if not shutil.which(self._command[0]):
            raise ConnectionError(f"{self._command[0]} is not installed on this machine")
        ours, theirs = socket.socketpair()
        self._said = TemporaryFile()  # noqa: SIM115 (open as long as the connection)
        with theirs:
            # In a session of its own: Ctrl+C ends the run in good order, which needs its connections.
            self._process = subprocess.Popen(
                self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,
                env=environment.counting(os.environ),
            )
        # It ends when the last reader of our end closes it, which may be a response that outlives this connection.
        Thread(target=self._process.wait, daemon=True, name="ssh").start()
        ours.settimeout(self.timeout)
        self.sock = ours

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except (OSError, http.client.HTTPException) as error:
            if why := self._why():
                raise ConnectionError(why) from error
            raise

    def _why(self) -> str:
        """Return why the process failed, in its own words; empty if it did not."""
        try:
            code = self._process.wait(_ENDED)
        except subprocess.TimeoutExpired:
            return ""
        self._said.seek(0)
        said = " ".join(self._said.read().decode(errors="replace").split())
        return f"ssh ended with code {code}: {said}" if code else ""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Sends requests through connections that are processes."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__()
        self._pool = _Pool("localhost", maxsize=CONNECTIONS, block=True, command=command)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        return request.path_url

    def close(self) -> None:
        """Keep the connections, which other clients share; they end with this process."""
