"""Ends this process when the Pulumi engine that started it is gone.

A killed engine leaves its plugins behind: the provider process would finish its work unrecorded and hold the country's
lock forever. The operating system closes a connection to the engine when the engine ends.
"""

import os
import socket
import time
from contextlib import suppress
from threading import Thread

from dive_infra.config.timeouts import PULUMI_ENGINE_CONNECTION

_PAUSE = 0.2  # seconds between two attempts to reach the engine again
_ATTEMPTS = 3


def watch(address: str) -> None:
    """Watch the engine at `address` (host:port) from a daemon thread."""
    host, _, port = address.rpartition(":")
    Thread(target=_watch, args=(host, int(port)), daemon=True, name="engine-watchdog").start()


def _watch(host: str, port: int) -> None:
    missed = 0
    while missed < _ATTEMPTS:
        try:
            with socket.create_connection((host, port), timeout=PULUMI_ENGINE_CONNECTION) as line:
                missed = 0
                line.settimeout(None)
                while line.recv(1024):
                    pass
        except OSError:
            missed += 1
        time.sleep(_PAUSE)  # the engine also closes an idle connection, and then accepts a new one
    with suppress(Exception):  # this process ends in any case
        from dive_infra.automation.leftover_processes import end_for_engine

        end_for_engine(f"{host}:{port}")  # the processes of the other providers, which have no watchdog
    os._exit(1)  # the reader of our output is gone too
