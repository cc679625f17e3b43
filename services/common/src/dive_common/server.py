"""Runs an application as a TLS server."""

import asyncio
import logging
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from dive_common.bodies import LimitedBodies
from dive_common.connections import Listener, small_buffers
from dive_common.settings import MissingSetting, ServiceFiles, variable

TLS_SHUTDOWN_SECONDS = 0.2


class ServerLoop(asyncio.SelectorEventLoop):
    """An event loop whose TLS servers hold only so many connections, and wait only briefly for a close_notify.

    A client with an idle connection never sends one. asyncio would wait for it until uvicorn's graceful timeout, so
    every restart would take five seconds longer. uvicorn has no option for either, but takes a loop.
    """

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        listener = Listener(options.pop("host"), options.pop("port"))
        return await super().create_server(
            *args, **{"ssl_shutdown_timeout": TLS_SHUTDOWN_SECONDS, **options, "sock": listener}
        )


def serve(app: ASGIApp, files: ServiceFiles, port: int) -> None:
    """Serve until SIGTERM or SIGINT; write no access log, because query strings may hold authorization codes."""
    for name in ("tls.crt", "tls.key", "ca.pem"):
        if not files.path(name).is_file():
            raise MissingSetting(f"{files.path(name)} does not exist")
    logging.basicConfig(level=variable("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    small_buffers()
    uvicorn.run(
        LimitedBodies(app),
        host="0.0.0.0",  # noqa: S104  only the container's networks; the host publishes the port on loopback
        port=port,
        loop=f"{__name__}:{ServerLoop.__name__}",
        ssl_certfile=str(files.path("tls.crt")),
        ssl_keyfile=str(files.path("tls.key")),
        access_log=False,
        server_header=False,
        timeout_keep_alive=120,  # longer than clients keep an idle connection (Go: 90), so they close it first
        timeout_graceful_shutdown=5,
    )
