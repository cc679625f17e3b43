"""Connections to the orchestration database: TLS with the name checked, bounded in time, failures told apart."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
from psycopg import Connection

from dive_infra.config.countries import HUB_CODE
from dive_infra.orchestration.access import OWNER, DatabaseAccess, LoginRefused, QueryFailed, Unreachable
from dive_infra.results.remedy import UP, Remedy

_START = Remedy.update(HUB_CODE, "starts it")
# FATAL answers of a server that will answer properly a moment later, or that was told to go.
_PASSING = ("starting up", "shutting down", "recovery mode", "too many clients", "too many connections", "terminating")
_TIMEOUTS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
# A dead peer is noticed within half a minute; the server then frees the lock of our session the same way.
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=20000"
)


def connect(access: DatabaseAccess, application: str = "dive", timeout: int = 2) -> Connection[Any]:
    """A connection in autocommit; `timeout` in seconds. Raises `Unreachable` or `Refused`, each with its remedy."""
    try:
        return psycopg.connect(
            host=access.host,
            hostaddr=access.address,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname=access.database,
            sslmode="verify-full",
            sslrootcert=str(trust(access.ca)),
            connect_timeout=max(2, timeout),  # libpq takes nothing less
            application_name=application,
            options=f"{_TIMEOUTS} {_SERVER_KEEPALIVE}",
            autocommit=True,
            **_KEEPALIVE,
        )
    except psycopg.OperationalError as error:
        message = " ".join(str(error).split())
        which = "the orchestration database" if access.user.startswith(OWNER) else f"database {access.database}"
        if "FATAL:" in message and not any(word in message for word in _PASSING):
            raise LoginRefused(
                f"{which} refused {access}: {message.partition('FATAL:')[2].strip()}",
                Remedy.update(HUB_CODE, f"{UP}, then this stack"),
                expected="admitted by the hub",
            ) from None
        raise Unreachable(f"{which} does not answer at {access}: {message}", _START) from None


@contextmanager
def telling() -> Iterator[None]:
    """Turns the driver's errors into ours: a lost connection is `Unreachable`, any other failure is `QueryFailed`."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # 57014: the statement's own time limit; the server is there.
        if error.sqlstate == "57014":
            raise QueryFailed(f"a query of the orchestration database took over 5 s: {_words(error)}") from None
        raise Unreachable(f"the connection to the orchestration database was lost: {_words(error)}", _START) from None
    except psycopg.Error as error:
        raise QueryFailed(f"a query of the orchestration database failed ({error.sqlstate}): {_words(error)}") from None


def _words(error: psycopg.Error) -> str:
    return (error.diag.message_primary or " ".join(str(error).split())).strip()


_ONE_AT_A_TIME = Lock()


@cache
def _directory() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="dive-ca-")


def trust(ca: str) -> Path:
    """The CA as a file of this process: libpq takes nothing else."""
    with _ONE_AT_A_TIME:  # else two threads make two folders, and one is removed under the other's feet
        path = Path(_directory().name) / f"{sha256(ca.encode()).hexdigest()[:16]}.pem"
        if not path.exists():
            path.write_text(ca)
    return path
