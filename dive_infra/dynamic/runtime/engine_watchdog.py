"""Ends the process that runs our providers when the engine that asked it is gone.

Killed, the engine leaves that process behind: it would finish its work unseen, and hold the lock of the country for
ever. The operating system tells of the engine's end by closing a connection to it.
"""

import os
import socket
import time
from contextlib import suppress
from threading import Thread

_PAUSE = 0.2  # seconds between two attempts to reach the engine again
_ATTEMPTS = 3


def watch(address: str) -> None:
    """Watches the engine at `address` (host:port) from a thread of its own."""
    host, _, port = address.rpartition(":")
    Thread(target=_watch, args=(host, int(port)), daemon=True, name="lifeline").start()


def _watch(host: str, port: int) -> None:
    missed = 0
    while missed < _ATTEMPTS:
        try:
            with socket.create_connection((host, port), timeout=2) as line:
                missed = 0
                line.settimeout(None)
                while line.recv(1024):
                    pass
        except OSError:
            missed += 1
        time.sleep(_PAUSE)  # the engine also closes a line that says nothing for long; it is then there again
    with suppress(Exception):  # whatever happens there, this process ends
        from dive_infra.automation.leftover_processes import end_for_engine

        end_for_engine(f"{host}:{port}")  # the other providers', which would not notice
    os._exit(1)  # without a word: whoever read our output is gone too
