"""HTTPS to a country's names, with a real server on this machine."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from dive_infra.crypto import pki
from dive_infra.identity import https

HOST = "keycloak.fra.localhost"
ROOT = pki.issue("root", 1, authority=True)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        body = f"{self.headers['host'].split(':')[0]} {self.connection.selected_alpn_protocol()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    leaf = pki.issue(HOST, 1, pki.Issuer(ROOT.chain, ROOT.key), [HOST])
    (tmp_path / "server.pem").write_text(f"{leaf.chain}\n{leaf.key}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    context.set_alpn_protocols(["http/1.1"])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://{HOST}:{server.server_port}/"
        server.shutdown()


def test_clients_on_many_threads_share_the_trust_and_reach_a_name_that_no_resolver_knows(url: str) -> None:
    def ask(_: int) -> str:
        with https.client(ROOT.chain) as http:
            return http.get(url).text

    https.client(ROOT.chain).close()
    before = https._trust.cache_info().misses
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(40))) == {f"{HOST} http/1.1"}
    assert https._trust.cache_info().misses == before


def test_a_context_in_use_is_not_changed_by_a_connection() -> None:
    """OpenSSL does not lock it, and httpcore sets the protocols before each handshake."""
    trust = https._trust(ROOT.chain)
    trust.set_alpn_protocols(["h2"])
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trust.wrap_bio(ours, theirs, server_hostname=HOST).do_handshake()
    hello = theirs.read()
    assert (b"http/1.1" in hello, b"h2" in hello) == (True, False)


def test_a_client_trusts_only_its_own_authority(url: str) -> None:
    """Also after another client was trusting: contexts are kept by authority."""
    other = pki.issue("another", 1, authority=True)
    with https.client(other.chain) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        http.get(url)
    with https.client(ROOT.chain) as http, pytest.raises(httpx.ConnectError, match="ostname mismatch"):
        http.get(url.replace(HOST, "opa.fra.localhost"))
