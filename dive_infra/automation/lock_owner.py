"""Whose lock is it, and is that process proven dead? Read from the words in which Pulumi refuses a locked stack.

Every backend that keeps its state in files (a folder, S3, Postgres …) refuses in the same words, so nothing here needs
to know which one it is.
"""

import re
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psutil

LOCKED = "the stack is currently locked"

# The user may be one of a domain, `anne@example.org`; a host has no `@`.
_CREATED = re.compile(
    r"^\s*(?P<place>\S+): created by (?P<user>.*)@(?P<host>[^@\s]+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)$",
    re.MULTILINE,
)
_BLUR = 2.0  # seconds: Pulumi tells the time without fractions, and the kernel counts from a boot that it rounds


@dataclass(frozen=True)
class Owner:
    """A process that locked a stack. `place` is where the lock is kept."""

    place: str
    user: str
    host: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"{self.user} (pid {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S})"


def owners(refusal: str) -> list[Owner]:
    """Everyone whom a refusal names; empty when it names nobody, or is no refusal of a locked stack."""
    if LOCKED not in refusal:
        return []
    return [
        Owner(m["place"], m["user"], m["host"], int(m["pid"]), datetime.fromisoformat(m["since"]))
        for m in _CREATED.finditer(refusal)
    ]


Answer = Literal["dead", "alive", "unknown"]


def whether(owner: Owner) -> tuple[Answer, str]:
    """Whether the owner is proven dead, and why.

    It is, if its process id is of this host and of no process, or of one that began after the lock was taken.
    """
    if owner.host != socket.gethostname():
        return "unknown", f"{owner.host} is another host"
    try:
        process = psutil.Process(owner.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return "dead", f"pid {owner.pid} has ended"
        began = process.create_time()
    except psutil.NoSuchProcess:
        return "dead", f"pid {owner.pid} is of no process"
    except psutil.Error as error:
        return "unknown", f"pid {owner.pid} cannot be looked at: {error}"
    if began > owner.since.timestamp() + _BLUR:
        return "dead", f"pid {owner.pid} is now of a process that began later"
    return "alive", f"pid {owner.pid} lives"
