"""Ways to an engine on another host: by TLS, and through a real sshd. Keys and certificates are made for each test."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dive_infra.config.engine_selection import FILES, EngineSelection
from dive_infra.crypto import pki
from tests.coalition.hosts import Host, await_answer

_TLS, _SSH = 2376, 2222  # ports at the host's address
_STARTS = 10  # seconds that sshd may take to listen

_SSHD = """Port {port}
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
SetEnv DOCKER_HOST={engine}
"""
_CLIENT = """Host *
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    StrictHostKeyChecking yes
"""
# In a view of its own of the files: sshd needs a user and a folder that only its package makes.
_START = """
set -e
mount -t tmpfs none /run
mkdir /run/sshd
mount --bind "$1" /etc/passwd
exec "$2" -D -e -f "$3"
"""


def tls(host: Host, folder: Path) -> list[str]:
    """Return the options by which a host's engine listens to clients with the certificate in `folder` alone."""
    folder.mkdir(parents=True)
    root = pki.issue("engine", 1, authority=True)
    for chain, key, name in (("server.pem", "server.key", host.address), (*FILES[1:], "operator")):
        made = pki.issue(chain, 1, pki.Issuer(root.chain, root.key), [name])
        (folder / chain).write_text(made.chain)
        (folder / key).write_text(made.key)
    (folder / FILES[0]).write_text(root.chain)
    files = {"tlscacert": FILES[0], "tlscert": "server.pem", "tlskey": "server.key"}
    listed = [part for option, file in files.items() for part in (f"--{option}", str(folder / file))]
    return ["--host", by_tls(host, folder).address, "--tlsverify", *listed]


def by_tls(host: Host, folder: Path) -> EngineSelection:
    """Return the selection of an engine that listens with `tls`."""
    return EngineSelection(f"tcp://{host.address}:{_TLS}", str(folder))


def sshd() -> str | None:
    """Return the program; None without the package openssh-server."""
    return shutil.which("sshd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))


@dataclass(frozen=True)
class Ssh:
    """A way through ssh; `programs` goes first on PATH: its `ssh` has the key, and knows the host."""

    selection: EngineSelection
    programs: Path


@contextmanager
def by_ssh(host: Host, folder: Path) -> Iterator[Ssh]:
    """Run sshd on a host until the block ends. This user may log in, whose shell finds the host's engine."""
    program, client = sshd(), shutil.which("ssh")
    assert program
    assert client
    folder.mkdir(parents=True)
    for key in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (folder / "known").write_text(f"[{host.address}]:{_SSH} {(folder / 'host.pub').read_text()}")
    (folder / "sshd").write_text(_SSHD.format(port=_SSH, address=host.address, folder=folder, engine=host.engine))
    (folder / "client").write_text(_CLIENT.format(folder=folder))
    users = Path("/etc/passwd").read_text()
    (folder / "users").write_text(users + ("" if "\nsshd:" in users else "sshd:x:65533:65534::/run/sshd:/bin/false\n"))
    programs = folder / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {client} -F {folder}/client "$@"\n')
    (programs / "ssh").chmod(0o755)
    arguments = ["start", str(folder / "users"), program, str(folder / "sshd")]
    with (folder / "log").open("wb") as log, _running(host, ["sh", "-c", _START, *arguments], log.fileno()) as server:
        await_answer(server, folder / "log", lambda: socket.create_connection((host.address, _SSH), 1).close(), _STARTS)
        yield Ssh(EngineSelection(f"ssh://root@{host.address}:{_SSH}"), programs)


@contextmanager
def _running(host: Host, command: Sequence[str], log: int) -> Iterator["subprocess.Popen[bytes]"]:
    own = ["nsenter", f"--net=/run/netns/{host.namespace}", "unshare", "--mount"]
    server = subprocess.Popen([*own, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        server.wait()
