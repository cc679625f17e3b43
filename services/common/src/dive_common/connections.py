"""How many connections a service holds. Each takes memory before its sender is known, so their number must be small.

One address may hold only some of them: a partner that opens as many as it can keeps no one else out.
"""

import logging
import socket
from asyncio import sslproto
from collections import Counter
from collections.abc import Callable
from typing import Any

MOST, MOST_OF_ONE = 900, 400  # connections in all, and of one address
_BUFFER = 16 * 1024  # bytes: the most that one record of TLS holds

log = logging.getLogger("dive.connections")


def small_buffers() -> None:
    """Have asyncio take 45 KiB for each connection with TLS. Its own buffer, 256 KiB, is written at once."""
    sslproto.SSLProtocol.max_size = _BUFFER


class Listener(socket.socket):
    """A socket of TCP that closes a connection beyond the limits as soon as it has accepted it."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self._open: Counter[str] = Counter()
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.bind((address, port))

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        peer = str(address[0])
        if self._open.total() >= MOST or self._open[peer] >= MOST_OF_ONE:
            accepted.close()
            raise ConnectionAbortedError  # for asyncio, a client that has gone before it was accepted
        self._open[peer] += 1
        if self._open[peer] == MOST_OF_ONE:
            log.warning("%s holds %d connections, and gets no more", peer, MOST_OF_ONE)
        return _Connection(accepted, lambda: self._closed_by(peer)), address

    def _closed_by(self, peer: str) -> None:
        self._open[peer] -= 1
        if not self._open[peer]:
            del self._open[peer]


class _Connection(socket.socket):
    """A connection that reports once that it was closed."""

    def __init__(self, accepted: socket.socket, report: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._report: Callable[[], None] | None = report

    def close(self) -> None:
        super().close()
        report, self._report = self._report, None
        if report:
            report()
