"""A stand-in for a Postgres that answers every login with one error: a real one is hard to bring into each state."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

from dive_infra.config.naming import LOOPBACK
from dive_infra.crypto import pki
from dive_infra.orchestration.access import DatabaseAccess

HOST = "postgres.test.localhost"
_TLS = b"S"


@contextmanager
def refusing(state: str, message: str, folder: Path) -> Iterator[DatabaseAccess]:
    """Yield the login at a server whose every answer has this SQLSTATE and these words."""
    issued = pki.issue(HOST, 1, names=[HOST, LOOPBACK])
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(issued.chain)
    key.write_text(issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    fields = [("S", "FATAL"), ("V", "FATAL"), ("C", state), ("M", message)]
    body = b"".join(kind.encode() + words.encode() + b"\0" for kind, words in fields) + b"\0"
    answer = b"E" + struct.pack("!I", len(body) + 4) + body

    def serve(server: socket.socket) -> None:
        with suppress(OSError):  # the test has ended
            while True:
                plain, _ = server.accept()
                with plain:
                    _packet(plain)  # the request for TLS
                    plain.sendall(_TLS)
                    with context.wrap_socket(plain, server_side=True) as secure:
                        _packet(secure)  # the startup message
                        secure.sendall(answer)

    with closing(socket.create_server((LOOPBACK, 0))) as server:
        Thread(target=serve, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        yield DatabaseAccess(HOST, port, "orchestration_fra", "not-checked", issued.chain)


def _packet(connection: socket.socket) -> None:
    (length,) = struct.unpack("!I", connection.recv(4))
    connection.recv(length - 4)
