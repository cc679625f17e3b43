"""Connections to the orchestration database: TLS with a checked name, time limits, and one error class per failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from dive_infra.clients import postgres
from dive_infra.config.countries import HUB_CODE
from dive_infra.orchestration.access import OWNER, DatabaseAccess, LoginRefused, QueryFailed, Unreachable
from dive_infra.results.remedy import UP, Remedy

_START = Remedy.update(HUB_CODE, "starts it")
# FATAL answers of a server that starts or stops: it is unreachable, it does not refuse us.
_PASSING = ("starting up", "shutting down", "recovery mode", "too many clients", "too many connections", "terminating")


def connect(access: DatabaseAccess, application: str = "dive", timeout: int = 2) -> Connection[Any]:
    """Return a connection in autocommit; `timeout` is in seconds. Raise `Unreachable` or `LoginRefused`."""
    try:
        return postgres.connect(
            access.host,
            access.address,
            access.port,
            access.user,
            access.password,
            access.database,
            access.ca,
            application,
            timeout,
        )
    except psycopg.OperationalError as error:
        message = " ".join(str(error).split())
        which = "the orchestration database" if access.user.startswith(OWNER) else f"database {access.database}"
        if "FATAL:" in message and not any(word in message for word in _PASSING):
            raise LoginRefused(
                f"{which} refused {access}: {message.partition('FATAL:')[2].strip()}",
                Remedy.update(HUB_CODE, f"{UP}, then this stack"),
                expected="a role that the hub has admitted",
            ) from None
        raise Unreachable(f"{which} does not answer at {access}: {message}", _START) from None


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate the driver's errors: a lost connection is `Unreachable`, any other failure is `QueryFailed`."""
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
