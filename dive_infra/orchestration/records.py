"""The rows of the orchestration database as dataclasses. Times are the database's, with their zone."""

import getpass
import os
import socket
import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from dive_infra.config import environment
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.results.text import clock


@dataclass(frozen=True)
class Run:
    """One run of a deploying process; every row names the run that wrote it, and its actor."""

    id: str
    actor: str
    hostname: str
    pid: int


@cache
def this_run() -> Run:
    """Return the run of this process; `DIVE_RUN_ID` may give its id."""
    host = socket.gethostname()
    run = environment.run_id() or uuid.uuid4().hex[:12]
    return Run(run, f"{_user()}@{host}", host, os.getpid())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry in the password file
        return str(os.getuid())


@dataclass(frozen=True)
class Current:
    """The current state of a country."""

    state: State
    previous: State
    changed_at: datetime
    reason: str
    run_id: str


@dataclass(frozen=True)
class PhaseRecord:
    """The current record of a phase; `evidence` is that of its latest proof."""

    phase: Phase
    status: Status
    fingerprint: str
    completed_at: datetime | None
    evidence: str
    run_id: str
    retries: int


@dataclass(frozen=True)
class Holder:
    """The holder of a country lock; `live` while its connection is open, else the deployment was interrupted."""

    fence: int
    run_id: str
    actor: str
    hostname: str
    pid: int
    phase: str
    since: datetime
    live: bool

    def __str__(self) -> str:
        return f"{self.actor} (pid {self.pid} on {self.hostname}, since {clock(self.since)}, phase {self.phase})"


@dataclass(frozen=True)
class Proof:
    """What a validator proved in a run. It becomes a checkpoint now, or later if the hub's database does not exist yet.

    `proven_at` is ISO 8601; `metadata` plain JSON.
    """

    phase: Phase
    fingerprint: str
    evidence: str
    proven_at: str
    seconds: float
    run_id: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Proof":
        known = {k: v for k, v in plain.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "phase": Phase(plain["phase"])})
