"""The lock files that Pulumi's file backend keeps for a stack: which process is updating it now.

A lock exists for as long as an update runs, including one that changes nothing and therefore never takes the country
lock. A dead process leaves its lock behind, which blocks every later update. Only processes of this machine can be
proven dead or alive. A power failure can leave a lock empty or cut off: it names no owner (pulumi/pulumi#2697).
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dive_infra.automation.lock_owner import LockOwner, liveness
from dive_infra.config import json_file
from dive_infra.config.json_file import BrokenFile
from dive_infra.config.settings import PROJECT
from dive_infra.results.text import clock

_SETTLED = 10.0  # seconds; Pulumi writes a lock in one step, another writer of the same folder may not
_ORGANIZATION = "organization"  # the only one in a file backend


@dataclass(frozen=True)
class BackendLock:
    """A process that holds Pulumi's lock of a stack; `live` is None if that cannot be determined."""

    user: str
    host: str
    pid: int
    since: datetime
    live: bool | None
    path: Path | None = None
    flaw: str = ""  # why the file names no owner

    def __str__(self) -> str:
        if self.flaw:
            return f"an unknown process ({self.flaw}, since {clock(self.since)})"
        return f"{self.user}@{self.host} (pid {self.pid}, since {clock(self.since)})"


def backend_locks(stack: str, environment: Mapping[str, str] = os.environ) -> list[BackendLock]:
    """Return the holders of Pulumi's lock of a stack; empty as well if the backend is not a folder of this machine."""
    folder = lock_folder(stack, environment)
    found = [_read(path) for path in sorted(folder.glob("*.json"))] if folder else []
    return [lock for lock in found if lock]


def lock_folder(stack: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of a stack's lock files; None if the backend is not a folder of this machine."""
    root = backend_folder(environment)
    return root / ".pulumi" / "locks" / _ORGANIZATION / PROJECT / stack if root else None


def backend_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of a file backend; None for any other backend."""
    url = urlsplit(environment.get("PULUMI_BACKEND_URL", ""))
    return Path(unquote(url.netloc + url.path)).expanduser() if url.scheme == "file" else None


def _read(path: Path) -> BackendLock | None:
    """Return the lock in a file; None if it has been released meanwhile."""
    try:
        content = json_file.read(path)
    except FileNotFoundError:
        return None
    except BrokenFile as broken:
        return _without_owner(path, broken.cause.replace(str(path), path.name), settles=True)
    try:
        since = datetime.fromisoformat(content["timestamp"]).astimezone(UTC)
        owner = LockOwner(str(path), str(content["username"]), str(content["hostname"]), int(content["pid"]), since)
    except (KeyError, TypeError, ValueError, OverflowError):
        # Perhaps another version of Pulumi: its process may be alive.
        return _without_owner(path, f"{path.name} names no process that we understand", settles=False)
    answer, _ = liveness(owner)
    return BackendLock(
        owner.user, owner.host, owner.pid, since, None if answer == "unknown" else answer == "alive", path
    )


def _without_owner(path: Path, flaw: str, settles: bool) -> BackendLock:
    """Return a lock that names no owner: dead if it `settles` and has not been written for a while."""
    written = path.stat().st_mtime
    dead = settles and time.time() - written > _SETTLED
    return BackendLock("", "", 0, datetime.fromtimestamp(written, UTC), False if dead else None, path, flaw)
