"""Plugin processes that outlive a killed Pulumi engine: they would complete their last request unnoticed.

Each has the engine's address as its last argument, and the folder of the program as its working directory.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from dive_infra.config.timeouts import PULUMI_ENGINE_CONNECTION

_NAMES = ("pulumi-resource", "pulumi-language")
_ENDS = 5.0  # seconds until the operating system has removed a killed process


def end_for_engine(address: str) -> list[str]:
    """Kill the plugins of the engine that was at `address` (host:port) and is gone; return their names."""
    return _end(lambda process: process.cmdline()[-1:] == [address])


def end_in_folder(folder: Path) -> list[str]:
    """Kill the plugins of every dead engine that ran the program in `folder`; return their names."""
    return _end(lambda process: Path(process.cwd()) == folder.resolve() and not _answers(process.cmdline()[-1]))


def _end(is_leftover: Callable[[psutil.Process], bool]) -> list[str]:
    killed: list[psutil.Process] = []
    names: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, IndexError, ValueError):  # gone meanwhile, another user's, or another program
            name = process.name()
            if name.startswith(_NAMES) and is_leftover(process):
                children = process.children(recursive=True)  # a shell that runs Python
                for one in (process, *children):
                    if one.pid != os.getpid():  # the caller exits by itself
                        one.kill()
                        killed.append(one)
                names.append(f"{name} (pid {process.pid})")
    psutil.wait_procs(killed, _ENDS)
    return names


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PULUMI_ENGINE_CONNECTION):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # not proven dead
