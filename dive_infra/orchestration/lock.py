"""The country lock: an advisory lock that lasts as long as its holder's connection, so one run deploys at a time.

A row beside the lock names the holder. Its `fence` grows with every holder, and every write checks it: a stalled holder
that wakes up after another took over cannot write any more.
"""

from hashlib import sha256
from typing import Any

from psycopg import Connection

from dive_infra.orchestration.access import Fenced, Locked
from dive_infra.orchestration.records import Holder, Run
from dive_infra.process.crash_points import crash_point
from dive_infra.results.remedy import UP, Remedy

_HOLDER = """
SELECT fence, run_id, acquired_by, hostname, pid, phase, acquired_at,
    EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = %s)
FROM deployment_locks WHERE instance_code = %s AND released_at IS NULL
"""


def key(country: str) -> int:
    """Return the key of a country's advisory lock: 63 bits of a hash."""
    return int.from_bytes(sha256(f"deployment of {country.lower()}".encode()).digest()[:8]) >> 1


def holder(connection: Connection[Any], country: str) -> Holder | None:
    """Return who holds the lock, or held it when it was interrupted; None if the last holder released it."""
    row = connection.execute(_HOLDER, [key(country), country.lower()]).fetchone()
    return Holder(*row) if row else None


def await_end(connection: Connection[Any], country: str) -> None:
    """Wait until the session that holds the lock has ended; its process has, and the server is about to notice.

    Not longer than the connection's lock timeout.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [key(country)])  # freed with the statement


def take(connection: Connection[Any], country: str, run: Run, phase: str, lost: int = 0) -> tuple[int, Holder | None]:
    """Take the lock for the life of this connection; return the fence, and the interrupted holder before, if any.

    `lost` is the fence of a lock that this process lost with its connection. Raise `Locked` if another run holds the
    lock, and `Fenced` if another run has held it since. Not for use inside a transaction.
    """
    code = country.lower()
    with crash_point("take lock"):
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [key(code)]).fetchone()
    before = holder(connection, code)
    if not row or not row[0]:
        who = str(before) if before and before.live else "a run whose row is not written yet"
        raise Locked(f"{country.upper()} is being deployed by {who}", Remedy.wait(f"wait for it to end, then: {UP}"))
    if lost:
        _refuse_after_others(connection, code, lost)
    with crash_point("write lock"), connection.transaction():
        connection.execute(
            "UPDATE deployment_locks SET released_at = clock_timestamp()"
            " WHERE instance_code = %s AND released_at IS NULL",
            [code],
        )
        made = connection.execute(
            "INSERT INTO deployment_locks (instance_code, run_id, acquired_by, hostname, pid, phase)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING fence",
            [code, run.id, run.actor, run.hostname, run.pid, phase],
        ).fetchone()
    assert made is not None  # INSERT ... RETURNING of one row
    return int(made[0]), before


def _refuse_after_others(connection: Connection[Any], code: str, lost: int) -> None:
    others = "SELECT acquired_by, pid, hostname FROM deployment_locks WHERE instance_code = %s AND fence > %s LIMIT 1"
    other = connection.execute(others, [code, lost]).fetchone()
    if other:
        with crash_point("give back lock"):
            connection.execute("SELECT pg_advisory_unlock(%s)", [key(code)])
        raise Fenced(
            f"{code.upper()}: this run was suspended, and was overtaken by {other[0]} (pid {other[1]} on "
            f"{other[2]}); nothing was written",
            Remedy.update(),
        )


def guard(connection: Connection[Any], country: str, fence: int, phase: str) -> None:
    """Note the holder's phase; raise `Fenced` if the lock is another's.

    Inside a transaction, it blocks later holders until that ends.
    """
    row = connection.execute(
        "UPDATE deployment_locks SET phase = %s"
        " WHERE instance_code = %s AND fence = %s AND released_at IS NULL RETURNING 1",
        [phase, country.lower(), fence],
    ).fetchone()
    if row is None:
        raise _lost(country)


def _lost(country: str) -> Fenced:
    return Fenced(f"{country.upper()}: the lock was lost to a later deployment; nothing was written", Remedy.update())


def release(connection: Connection[Any], country: str, fence: int) -> None:
    with crash_point("release lock"):
        connection.execute(
            "UPDATE deployment_locks SET released_at = clock_timestamp() WHERE instance_code = %s AND fence = %s"
            " AND released_at IS NULL",
            [country.lower(), fence],
        )
    connection.execute("SELECT pg_advisory_unlock(%s)", [key(country)])
