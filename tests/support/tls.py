"""TLS as OpenSSL does it: a server that presents a certificate, and a handshake in memory."""

import ssl
import tempfile

from dive_infra.crypto import pki


def presenting(leaf: pki.Issued) -> ssl.SSLContext:
    """Return the context of a server that presents this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"{leaf.chain}\n{leaf.key}")
        file.flush()
        context.load_cert_chain(file.name)
    return context


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Return the client's side of a handshake with `host`; raises `SSLCertVerificationError` if the client refuses."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server, server_hostname=host)
    answers = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asks, answers, asks, answers):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return asks
