"""Who runs Pulumi on a stack now, by the lock that Pulumi itself keeps beside a state in files.

It is there while an update runs, also one that changes nothing and so never asks for the country's own lock. Left
behind by a dead process, it stops every later update. Only this machine's processes can be told dead or alive.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dive_infra.automation.lock_owner import Owner, whether
from dive_infra.config.settings import PROJECT

_ORGANIZATION = "organization"  # the only one that a state in files has


@dataclass(frozen=True)
class BackendLock:
    """A process that holds Pulumi's lock of a stack; `live` is None where that can't be told."""

    user: str
    host: str
    pid: int
    since: datetime
    live: bool | None

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, since {self.since:%H:%M:%S})"


def updates(stack: str, environment: Mapping[str, str] = os.environ) -> list[BackendLock]:
    """The holders of Pulumi's lock of a stack; empty too where the state is not in files of this machine."""
    folder = locks(stack, environment)
    return [_read(path) for path in sorted(folder.glob("*.json"))] if folder else []


def locks(stack: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of a stack's locks; None where the state is not in files of this machine."""
    root = backend(environment)
    return root / ".pulumi" / "locks" / _ORGANIZATION / PROJECT / stack if root else None


def backend(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of a backend in files; None for any other."""
    url = urlsplit(environment.get("PULUMI_BACKEND_URL", ""))
    return Path(unquote(url.netloc + url.path)).expanduser() if url.scheme == "file" else None


def _read(path: Path) -> BackendLock:
    held = json.loads(path.read_text())
    since = datetime.fromisoformat(held["timestamp"])
    owner = Owner(str(path), held["username"], held["hostname"], int(held["pid"]), since)
    answer, _ = whether(owner)
    return BackendLock(owner.user, owner.host, owner.pid, since, None if answer == "unknown" else answer == "alive")
