"""All that the record knows about a country, for readers who never write.

Ages are in seconds by the database's clock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from dive_infra.orchestration import lock
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.records import Current, Holder
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.orchestration.store import Store

_ERRORS = 10  # of the newest

_CURRENT = """
SELECT state, previous_state, changed_at, reason, run_id, extract(epoch FROM clock_timestamp() - changed_at)
FROM deployment_states WHERE instance_code = %s
"""
_STEPS = """
SELECT s.step_name, s.status, s.fingerprint, s.completed_at, coalesce(c.evidence, ''), s.run_id, s.error_message,
    extract(epoch FROM clock_timestamp() - c.created_at), coalesce(c.created_by, ''),
    (c.metadata ->> 'seconds')::double precision
FROM deployment_steps s LEFT JOIN checkpoints c USING (checkpoint_id) WHERE s.instance_code = %s
"""
_LINKS = """
SELECT source_code, target_code, idp_alias, status, error_message, login_seconds,
    extract(epoch FROM clock_timestamp() - last_verified_at), last_verified_at
FROM federation_links WHERE %s IN (source_code, target_code) ORDER BY source_code, target_code
"""
_MEMBERS = """
SELECT instance_code, state, extract(epoch FROM clock_timestamp() - issued_at) FROM member_reports
ORDER BY instance_code
"""
# Errors since the country was last complete.
_FAILURES = """
SELECT error_code, component, message, occurred_at, run_id, extract(epoch FROM clock_timestamp() - occurred_at),
    remediation
FROM orchestration_errors WHERE instance_code = %(code)s AND resolved_at IS NULL
    AND occurred_at > coalesce((SELECT max(transition_time) FROM state_transitions
        WHERE instance_code = %(code)s AND to_state = 'COMPLETE'), '-infinity')
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Recorded:
    """A phase in the record; `age` since its proof was written, None without a proof."""

    phase: Phase
    status: Status
    fingerprint: str
    completed_at: datetime | None
    evidence: str
    run_id: str
    error: str
    age: float | None
    actor: str
    seconds: float | None  # duration of its validation


@dataclass(frozen=True)
class Link:
    """The login of users from `source` at `target`; `age` since the last proof, which was `at`; `seconds` it took."""

    source: str
    target: str
    alias: str
    status: str
    error: str
    seconds: float | None
    age: float | None
    at: datetime | None = None


@dataclass(frozen=True)
class MemberReport:
    """What a partner last said about itself: its state, `age` seconds ago."""

    code: str
    state: str
    age: float


@dataclass(frozen=True)
class Failure:
    """An error that a run recorded; `code` is an error code, or a word for an error without one."""

    code: str
    component: str
    message: str
    at: datetime
    run_id: str
    age: float
    remedy: str = ""  # what an operator must choose between


@dataclass(frozen=True)
class Overview:
    """`current` is None if the record has no row for the country; `age` since that state was entered."""

    now: datetime
    current: Current | None
    age: float | None
    holder: Holder | None
    steps: dict[Phase, Recorded]
    links: tuple[Link, ...]
    failures: tuple[Failure, ...]
    members: tuple[MemberReport, ...] = ()


def read_overview(access: DatabaseAccess, country: str) -> Overview:
    """Return what the record knows of a country; raises `RecordError`."""
    with Store(access) as store:
        return store.query(lambda connection: overview(connection, country))


def overview(connection: Connection[Any], country: str) -> Overview:
    """Return what the record knows about a country, as far as the login may see it."""
    code = country.lower()
    clock = connection.execute("SELECT clock_timestamp()").fetchone()
    assert clock is not None  # one row, always
    current = connection.execute(_CURRENT, [code]).fetchone()
    steps = [_recorded(row) for row in connection.execute(_STEPS, [code]).fetchall()]
    links = connection.execute(_LINKS, [code]).fetchall()
    failures = connection.execute(_FAILURES, {"code": code, "limit": _ERRORS}).fetchall()
    members = connection.execute(_MEMBERS).fetchall()
    holder = lock.holder(connection, code)
    return Overview(
        clock[0],
        Current(State(current[0]), State(current[1]), *current[2:5]) if current else None,
        float(current[5]) if current else None,
        holder,
        {step.phase: step for step in sorted(steps, key=lambda s: [*Phase].index(s.phase))},
        tuple(
            Link(s.upper(), t.upper(), a, status, e, took, _float(age), at)
            for s, t, a, status, e, took, age, at in links
        ),
        tuple(Failure(c, where, what, at, run, float(age), r) for c, where, what, at, run, age, r in failures),
        tuple(MemberReport(code.upper(), state, float(age)) for code, state, age in members),
    )


def _recorded(row: tuple[Any, ...]) -> Recorded:
    phase, status, fingerprint, completed, evidence, run, error, age, actor, seconds = row
    return Recorded(
        Phase(phase), Status(status), fingerprint, completed, evidence, run, error, _float(age), actor, seconds
    )


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
