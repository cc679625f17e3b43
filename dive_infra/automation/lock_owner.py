"""Parse Pulumi's "stack is locked" error to find the owner, and check whether that process is still alive.

All backends that keep the state in files (a folder, S3, Postgres …) use the same message, hence the backend does not
matter here.
"""

import re
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psutil

from dive_infra.results.text import day

LOCKED = "the stack is currently locked"

# The user may contain an `@` (`anne@example.org`), a host does not.
_CREATED = re.compile(
    r"^\s*(?P<place>\S+): created by (?P<user>.*)@(?P<host>[^@\s]+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)$",
    re.MULTILINE,
)
_CLOCK_TOLERANCE = 2.0  # seconds: Pulumi drops fractions, and the kernel counts from a rounded boot time


@dataclass(frozen=True)
class LockOwner:
    """A process that locked a stack. `place` is the path or URL of the lock."""

    place: str
    user: str
    host: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"{self.user} (pid {self.pid} on {self.host}, since {day(self.since)})"


def owners(refusal: str) -> list[LockOwner]:
    """Return all owners that the message names; empty if it names none or has another cause than a lock."""
    if LOCKED not in refusal:
        return []
    return [
        LockOwner(m["place"], m["user"], m["host"], int(m["pid"]), datetime.fromisoformat(m["since"]))
        for m in _CREATED.finditer(refusal)
    ]


Liveness = Literal["dead", "alive", "unknown"]


def liveness(owner: LockOwner) -> tuple[Liveness, str]:
    """Return dead, alive or unknown, and why.

    It is dead if this host has no process with its pid, or if that process started after the lock was taken.
    """
    if owner.host != socket.gethostname():
        return "unknown", f"{owner.host} is another host"
    try:
        process = psutil.Process(owner.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return "dead", f"pid {owner.pid} has ended"
        started = process.create_time()
    except psutil.NoSuchProcess:
        return "dead", f"no process with pid {owner.pid}"
    except (psutil.Error, ValueError, OverflowError) as error:  # a number that no process can have
        return "unknown", f"pid {owner.pid} cannot be inspected: {error}"
    if started > owner.since.timestamp() + _CLOCK_TOLERANCE:
        return "dead", f"pid {owner.pid} now belongs to a process that started after the lock was taken"
    return "alive", f"pid {owner.pid} is alive"
