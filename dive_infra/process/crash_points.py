"""Crash points: named side effects of a deployment, before and after which a test can stop it.

Without `DIVE_STEPS` a crash point does nothing. With it, the path of a Unix socket, each boundary is sent there and the
deployment waits for an answer: the crash-point sweep finds all boundaries that way.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dive_infra.config import environment
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy


@contextmanager
def crash_point(name: str) -> Iterator[None]:
    """Mark one side effect by verb and object: `create Files`, `insert documents`."""
    _boundary("before", name)
    yield
    _boundary("after", name)


def _boundary(moment: str, name: str) -> None:
    path = environment.crash_point_socket()
    if not path:
        return
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        line.sendall(f"{moment} {name}\n".encode())
        if not line.recv(1):
            raise DiveError(f"{path} was closed without an answer", Remedy.run(f"unset {environment.STEPS}"))
