"""Connections to a country's Postgres: TLS with the name checked, every wait bounded, and failures by SQLSTATE.

What libpq takes from the environment and from files of the caller's home changes no connection of ours. Messages are
for people: their words differ between versions and languages, and decide nothing.
"""

import os
import re
import select
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, pq
from psycopg.conninfo import make_conninfo

from dive_infra.clients.trust import ca_file

Answered = TypeVar("Answered")

_TIMEOUTS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
# Each side notices a dead peer within half a minute; the server then frees the lock of the session.
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=20000"
)
_SHORTEST_TIMEOUT = 2  # seconds; libpq accepts no less
# An argument overrides these, and Pulumi reads them for a state that is kept in Postgres.
_OVERRIDDEN = ("PGPASSWORD", "PGPASSFILE", "PGSSLROOTCERT")

WRONG_PASSWORD = "28P01"  # noqa: S105
# The login is wrong: authorization, no such database, no right to enter it.
_REFUSALS = ("28", "3D000", "42501")
# What Postgres could not do beside something else, and can do a moment later: serialization failure, deadlock, lock not
# available, object in use, and "tuple concurrently updated" of its catalogs, which is an internal error.
_PASSING = ("40001", "40P01", "55P03", "55006", "XX000")
# The server lacks disk, memory, connections or processes, its system failed, or it starts or stops.
_PRESSED = ("53", "58", "57P")
_TRACED = re.compile(rb'^B\t\d+\tErrorResponse\t S "[^"\n]*" V "[A-Z]+" C "([0-9A-Z]{5})"', re.MULTILINE)
_ATTEMPTS, _PAUSE = 8, 0.05  # the pause doubles: six seconds in all


class ConnectionFailed(psycopg.OperationalError):
    """No connection; `state` is the SQLSTATE with which the server answered, empty if none did."""

    def __init__(self, message: str, state: str = "") -> None:
        super().__init__(message)
        self.state = state


def refuses(state: str) -> bool:
    """Return True if the server refuses the login as such; any other state says that it admits no one at present."""
    return state.startswith(_REFUSALS)


def pressed(state: str | None) -> bool:
    """Return True if the server can answer no request at present."""
    return bool(state) and str(state).startswith(_PRESSED)


def passing(state: str | None) -> bool:
    """Return True if the same statement may succeed a moment later."""
    return state in _PASSING


def repeated(action: Callable[[], Answered]) -> Answered:
    """Return what `action` returns; repeat it while Postgres cannot do it beside something else."""
    pause = _PAUSE
    for _ in range(_ATTEMPTS - 1):
        try:
            return action()
        except psycopg.Error as error:
            if not passing(error.sqlstate):
                raise
        time.sleep(pause)  # no lock can be awaited: the server reports the conflict after the fact
        pause *= 2
    return action()


def connect(
    host: str,
    address: str,
    port: int,
    user: str,
    password: str,
    database: str,
    ca: str,
    application: str,
    timeout: int,
) -> Connection[Any]:
    """Return a connection in autocommit to `address`, whose certificate must name `host`.

    `ca` is PEM text, `timeout` in seconds. Raises `ConnectionFailed`.
    """
    return isolated(
        host=host,
        hostaddr=address,
        port=port,
        user=user,
        password=password,
        dbname=database,
        sslmode="verify-full",
        sslrootcert=str(ca_file(ca)),
        connect_timeout=max(_SHORTEST_TIMEOUT, timeout),
        application_name=application,
        options=f"{_TIMEOUTS} {_SERVER_KEEPALIVE}",
        **_KEEPALIVE,
    )


def isolated(**arguments: Any) -> Connection[Any]:
    """Return a connection in autocommit to which nothing counts but these arguments of libpq, among them a password.

    Raises `ConnectionFailed`.
    """
    _forget_variables()
    parameters = {**arguments, "sslcertmode": "disable", "gssencmode": "disable", "passfile": os.devnull}
    ends = time.monotonic() + arguments["connect_timeout"]
    try:
        return psycopg.connect(**parameters, autocommit=True)
    except psycopg.OperationalError as error:
        state = _state_of_refusal(parameters, ends)
        raise ConnectionFailed(" ".join(str(error).split()), state) from None


def _forget_variables() -> None:
    """Remove libpq's variables from this process.

    No argument overrides `PGSERVICE`, `PGTZ` or an empty default: libpq takes an empty argument for none.
    """
    for name in [name for name in os.environ if name.startswith("PG") and name not in _OVERRIDDEN]:
        del os.environ[name]


def _state_of_refusal(parameters: Mapping[str, Any], ends: float) -> str:
    """Return the SQLSTATE with which the server answers a login; empty without an answer until `ends`.

    libpq keeps only the words of an error that ends a login (it has no result to ask). Its trace of the protocol has
    the state: a second attempt is traced, into memory alone, since a trace holds what is sent. Remove when libpq tells
    the state of a failed connection.
    """
    connection = pq.PGconn.connect_start(make_conninfo(**parameters).encode())
    trace = os.memfd_create("login")
    try:
        connection.trace(trace)
        connection.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        waits = {pq.PollingStatus.READING: select.POLLIN, pq.PollingStatus.WRITING: select.POLLOUT}
        while (wanted := waits.get(pq.PollingStatus(connection.connect_poll()))) and time.monotonic() < ends:
            ready = select.poll()
            ready.register(connection.socket, wanted)
            ready.poll(max(0.0, ends - time.monotonic()) * 1000)
        connection.untrace()
        found = _TRACED.search(os.pread(trace, os.fstat(trace).st_size, 0))
        return found[1].decode() if found else ""
    finally:
        connection.finish()
        os.close(trace)
