"""A server on this machine's loopback that serves a certificate of any host, and answers what it was asked."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from dive_infra.config.naming import LOOPBACK
from dive_infra.crypto import pki
from tests.support.tls import presenting

ROOT = pki.issue("root", 1, authority=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # which keeps a connection

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        body = f"{self.headers['host'].split(':')[0]} {self.connection.selected_alpn_protocol()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 (the server's name)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(host: str, address: str = LOOPBACK) -> Iterator[int]:
    """Yield the port of a server whose certificate is for `host` alone, issued by `ROOT`.

    Its answer is the host that the request names, and the protocol that was negotiated.
    """
    leaf = pki.issue(host, 1, pki.Issuer(ROOT.chain, ROOT.key), [host])
    context = presenting(leaf)
    context.set_alpn_protocols(["http/1.1"])
    with ThreadingHTTPServer((address, 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
