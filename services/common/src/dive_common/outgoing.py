"""Requests to other services."""

import ssl
import threading
from weakref import WeakSet

import httpx


class _ThreadTransport(httpx.HTTPTransport):
    """Connections that are closed with the thread that used them."""

    def __del__(self) -> None:
        self.close()


class PerThread(httpx.BaseTransport):
    """Gives each thread connections of its own.

    Cause: a thread of httpcore may close an idle connection that another thread was just given; the request of that
    one then fails with `Bad file descriptor`, or waits for its timeout.
    Upstream: encode/httpcore#1110 (open).
    Remove when: a pool no longer closes a connection that a request waits for.
    """

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._of_thread = threading.local()
        self._pools = WeakSet[_ThreadTransport]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        pool: _ThreadTransport | None = getattr(self._of_thread, "pool", None)
        if pool is None:
            pool = self._of_thread.pool = _ThreadTransport(verify=self._trust, trust_env=False)
            self._pools.add(pool)
        return pool.handle_request(request)

    def close(self) -> None:
        for pool in list(self._pools):
            pool.close()
