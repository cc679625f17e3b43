"""Runs an application as a TLS server."""

import asyncio.constants
import logging

import uvicorn
from starlette.types import ASGIApp

from dive_common.settings import Files, MissingSetting, variable

_GOODBYE = 0.2  # seconds


def serve(app: ASGIApp, files: Files, port: int) -> None:
    """Serves until told to stop. No access log: query strings may hold authorization codes."""
    for name in ("tls.crt", "tls.key", "ca.pem"):
        if not files.path(name).is_file():
            raise MissingSetting(f"{files.path(name)} is not there")
    logging.basicConfig(level=variable("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # A client with an idle connection does not answer the goodbye of TLS, and asyncio would wait for it: five seconds
    # of every restart.
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = _GOODBYE
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104  the container's own networks; only the loopback of the host is published
        port=port,
        ssl_certfile=str(files.path("tls.crt")),
        ssl_keyfile=str(files.path("tls.key")),
        access_log=False,
        server_header=False,
        timeout_keep_alive=120,  # clients give up an idle connection first (Go: 90), so none is cut under a request
        timeout_graceful_shutdown=5,
    )
