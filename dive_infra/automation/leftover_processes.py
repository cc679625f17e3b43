"""Programs that a killed Pulumi engine leaves running: they would finish, unseen, what they were asked last.

Each is started with the engine's address as its last argument, and in the program's folder.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

_NAMES = ("pulumi-resource", "pulumi-language")
_ENDS = 5.0  # seconds until the operating system has taken a killed process away


def end_of(address: str) -> list[str]:
    """Ends the programs of the engine that was at `address` (host:port) and is gone; returns what they are called."""
    return _end(lambda process: process.cmdline()[-1:] == [address])


def end_in(folder: Path) -> list[str]:
    """The same for every engine that worked on the program in `folder` and is gone."""
    return _end(lambda process: Path(process.cwd()) == folder.resolve() and not _answers(process.cmdline()[-1]))


def _end(theirs: Callable[[psutil.Process], bool]) -> list[str]:
    ended: list[psutil.Process] = []
    told: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, IndexError, ValueError):  # gone meanwhile, another user's, or another program
            name = process.name()
            if name.startswith(_NAMES) and theirs(process):
                below = process.children(recursive=True)  # a shell that runs Python
                for found in (process, *below):
                    if found.pid != os.getpid():  # whoever asks ends by itself
                        found.kill()
                        ended.append(found)
                told.append(f"{name} (pid {process.pid})")
    psutil.wait_procs(ended, _ENDS)
    return told


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # not proven gone
