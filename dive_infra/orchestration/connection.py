"""Connections to the orchestration database: TLS with a checked name, time limits, and one error class per failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from dive_infra.clients import postgres
from dive_infra.orchestration.access import (
    OWNER,
    DatabaseAccess,
    LoginRefused,
    NotAdmitting,
    QueryFailed,
    Unreachable,
)
from dive_infra.results.remedy import UP, Remedy

_START = Remedy.update(detail="starts it")
_LOST = ("08", "57P01", "57P02", "57P05")  # the session ended
# By SQLSTATE, or its class; nothing that an update declares is wrong.
_LACKS = {
    "53300": "end sessions that are not needed",
    "53100": "free disk space",
    "53": "free what the server lacks",
    "57P03": "wait until the server has started",
}


def connect(access: DatabaseAccess, application: str = "dive", timeout: int = 2) -> Connection[Any]:
    """Return a connection in autocommit; `timeout` is in seconds.

    Raise `NotAdmitting`, any other `Unreachable`, or `LoginRefused`.
    """
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
    except postgres.ConnectionFailed as error:
        which = "the orchestration database" if access.user.startswith(OWNER) else f"database {access.database}"
        message = str(error)
        said = message.partition("FATAL:")[2].strip() or message
        if not error.state:
            raise Unreachable(f"{which} does not answer at {access}: {message}", _START) from None
        if not postgres.refuses(error.state):
            raise NotAdmitting(
                f"{which} does not admit anyone at present at {access}: {said} ({error.state})",
                awaits(error.state),
                error.state,
            ) from None
        raise LoginRefused(
            f"{which} refused {access}: {said}",
            Remedy.update(),
            "the role that DEPLOYMENT declares",
            error.state,
        ) from None


def awaits(state: str) -> Remedy:
    """Return the remedy for a server that cannot work at present; it changes nothing."""
    lacks = next((words for prefix, words in _LACKS.items() if state.startswith(prefix)), "wait until it admits logins")
    return Remedy.wait(f"{lacks} at the server, then: {UP}")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate the driver's errors, by SQLSTATE.

    A lost connection is `Unreachable`, a server short of something `NotAdmitting`, any other failure `QueryFailed`.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        of_the_driver = not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if of_the_driver or state.startswith(_LOST):
            raise Unreachable(
                f"the connection to the orchestration database was lost: {_words(error)}", _START
            ) from None
        if state == "57014":  # the statement's own time limit; the server is there
            raise QueryFailed(f"a query of the orchestration database took over 5 s: {_words(error)}") from None
        if postgres.pressed(state):
            raise NotAdmitting(
                f"the orchestration database cannot work at present: {_words(error)} ({state})", awaits(state), state
            ) from None
        raise QueryFailed(f"a query of the orchestration database failed ({state}): {_words(error)}") from None


def _words(error: psycopg.Error) -> str:
    return (error.diag.message_primary or " ".join(str(error).split())).strip()
