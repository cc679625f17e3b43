"""HTTPS to a country's public names from a machine whose resolver may not know them.

A country's hosts are at its address, and every other `*.localhost` is loopback by definition (RFC 6761), but not every
resolver agrees. The name stays in the URL, in the Host header and in the check of the certificate; only the connection
goes to the address.
"""

import ssl
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from weakref import WeakSet

import httpx

from dive_infra.config.naming import LOOPBACK, Names


class _ThreadTransport(httpx.HTTPTransport):
    """Connections that are closed with the thread that used them."""

    def __del__(self) -> None:
        self.close()


class _PerThread(httpx.BaseTransport):
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
            pool = self._of_thread.pool = _ThreadTransport(verify=self._trust)
            self._pools.add(pool)
        return pool.handle_request(request)

    def close(self) -> None:
        for pool in list(self._pools):
            pool.close()


class _ToAddresses(_PerThread):
    """Connects to the hosts of `countries` at their addresses."""

    def __init__(self, trust: ssl.SSLContext, countries: Sequence[Names]) -> None:
        super().__init__(trust)
        self._countries = countries

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = self._address(host)
        if address is None:
            return super().handle_request(request)
        # A request of its own: the caller's one stays the base for cookies and relative redirects.
        inner = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return super().handle_request(inner)

    def _address(self, host: str) -> str | None:
        """Return where a host is; None if the resolver has to say."""
        for country in self._countries:
            if host.endswith(f".{country.zone}"):
                return country.published
        return LOOPBACK if host == "localhost" or host.endswith(".localhost") else None


def client(ca: str, timeout: float = 10.0, *countries: Names) -> httpx.Client:
    """Return a client that trusts only `ca` (PEM), follows no redirect and waits `timeout` seconds for each step.

    `countries` are those whose hosts it reaches. With an empty `ca` it trusts what this machine trusts.
    """
    return httpx.Client(transport=_ToAddresses(_trust(ca), countries), timeout=timeout, follow_redirects=False)


def fetch(http: httpx.Client, url: str, most: int) -> tuple[int, bytes]:
    """Return status and content of an answer of at most `most` bytes; raises `httpx.HTTPError`."""
    content = b""
    with http.stream("GET", url, headers={"accept-encoding": "identity"}) as answer:
        for part in answer.iter_bytes():
            content += part
            if len(content) > most:
                raise httpx.RemoteProtocolError(f"the answer has more than {most} bytes")
    return answer.status_code, content


class _SharedContext(ssl.SSLContext):
    """A client's context that no connection changes, so that threads may share it: OpenSSL takes no lock for that."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Ignore what httpcore sets before each handshake; `_trust` has set the same."""


@lru_cache(maxsize=8)
def _trust(ca: str) -> ssl.SSLContext:
    """Return the context that trusts only `ca`; it is nearly all that a client costs, 0.4 ms of processor time."""
    context = _SharedContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and compares the host
    if ca:
        context.load_verify_locations(cadata=ca)
    else:
        context.load_default_certs()
    ssl.SSLContext.set_alpn_protocols(context, ["http/1.1"])
    return context
