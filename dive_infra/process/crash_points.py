"""Every side effect of a deployment is a named step, so that a deployment can be stopped exactly before and after it.

Nothing happens here unless `DIVE_STEPS` is the path of a Unix socket: then each boundary is told to whoever listens
there, and the deployment waits for the answer. That is how the crash-point sweep finds all of them.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dive_infra.config import environment


@contextmanager
def crash_point(name: str) -> Iterator[None]:
    """One side effect, by what is done: `create Files`, `insert documents`."""
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
            raise ConnectionError(f"{path} was closed without an answer; next: unset {environment.STEPS}")
