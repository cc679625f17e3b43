"""The lock files that Pulumi's file backend keeps for a stack: which process is updating it now.

A lock exists for as long as an update runs, including one that changes nothing and therefore never takes the country
lock. A dead process leaves its lock behind, which blocks every later update. Only processes of this machine can be
proven dead or alive.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dive_infra.automation.lock_owner import LockOwner, liveness
from dive_infra.config.settings import PROJECT
from dive_infra.results.text import clock

_ORGANIZATION = "organization"  # the only one in a file backend


@dataclass(frozen=True)
class BackendLock:
    """A process that holds Pulumi's lock of a stack; `live` is None if that cannot be determined."""

    user: str
    host: str
    pid: int
    since: datetime
    live: bool | None

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, since {clock(self.since)})"


def backend_locks(stack: str, environment: Mapping[str, str] = os.environ) -> list[BackendLock]:
    """Return the holders of Pulumi's lock of a stack; empty as well if the backend is not a folder of this machine."""
    folder = lock_folder(stack, environment)
    return [_read(path) for path in sorted(folder.glob("*.json"))] if folder else []


def lock_folder(stack: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of a stack's lock files; None if the backend is not a folder of this machine."""
    root = backend_folder(environment)
    return root / ".pulumi" / "locks" / _ORGANIZATION / PROJECT / stack if root else None


def backend_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of a file backend; None for any other backend."""
    url = urlsplit(environment.get("PULUMI_BACKEND_URL", ""))
    return Path(unquote(url.netloc + url.path)).expanduser() if url.scheme == "file" else None


def _read(path: Path) -> BackendLock:
    content = json.loads(path.read_text())
    since = datetime.fromisoformat(content["timestamp"])
    owner = LockOwner(str(path), content["username"], content["hostname"], int(content["pid"]), since)
    answer, _ = liveness(owner)
    return BackendLock(owner.user, owner.host, owner.pid, since, None if answer == "unknown" else answer == "alive")
