"""What a failed login means follows from its SQLSTATE alone, and not from its text."""

import socket
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from dive_infra.clients import postgres
from dive_infra.config.naming import LOOPBACK
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess, LoginRefused, NotAdmitting, QueryFailed, Unreachable
from dive_infra.results.remedy import RemedyKind
from tests.support.refusing_postgres import HOST, refusing


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
        ("53300", "password authentication failed"),
        ("53100", "could not write init file: No space left on device"),
        ("53200", "out of memory"),
        ("57P03", "the database system is not yet accepting connections"),
        ("57P03", "das Datenbanksystem startet"),
        ("58000", "could not fork new process for connection"),
        ("XX000", "could not open relation"),
    ],
)
def test_a_server_that_admits_no_one_at_present_refuses_no_one(state: str, words: str, tmp_path: Path) -> None:
    with refusing(state, words, tmp_path) as access, pytest.raises(NotAdmitting) as caught:
        connection.connect(access)
    assert caught.value.state == state
    assert "does not admit anyone at present" in caught.value.cause
    assert words in caught.value.cause
    assert caught.value.remedy.kind == RemedyKind.WAIT, "nothing that is declared is wrong"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("28P01", "password authentication failed"),
        ("28000", "too many connections of this kind: no pg_hba.conf entry"),
        ("3D000", "database does not exist"),
        ("42501", "permission denied for database"),
    ],
)
def test_a_refused_login_is_one_by_its_state(state: str, words: str, tmp_path: Path) -> None:
    with refusing(state, words, tmp_path) as access, pytest.raises(LoginRefused) as caught:
        connection.connect(access)
    assert caught.value.state == state


def test_a_server_that_does_not_answer_has_no_state() -> None:
    with closing(socket.create_server((LOOPBACK, 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        connection.connect(DatabaseAccess(HOST, port, "orchestration", "not-checked", "no certificate"))
    assert not isinstance(caught.value, NotAdmitting)
    assert "does not answer" in caught.value.cause


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.DiskFull("no space"), NotAdmitting),
        (psycopg.errors.OutOfMemory("out of memory"), NotAdmitting),
        (psycopg.errors.AdminShutdown("terminating"), Unreachable),
        (psycopg.OperationalError("server closed the connection unexpectedly"), Unreachable),
        (psycopg.errors.DeadlockDetected("deadlock"), QueryFailed),
        (psycopg.errors.LockNotAvailable("lock timeout"), QueryFailed),
        (psycopg.errors.QueryCanceled("statement timeout"), QueryFailed),
        (psycopg.errors.UndefinedTable("no table"), QueryFailed),
        (psycopg.ProgrammingError("no statement"), QueryFailed),
    ],
)
def test_a_failed_query_is_classified_by_its_state(error: psycopg.Error, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, connection.translated_errors():
        raise error
    assert type(caught.value) is kind


def test_what_cannot_be_done_side_by_side_is_done_again() -> None:
    conflicts = [psycopg.errors.InternalError_("tuple concurrently updated"), psycopg.errors.SerializationFailure("x")]

    def change() -> str:
        if conflicts:
            raise conflicts.pop()
        return "done"

    assert postgres.repeated(change) == "done"
    with pytest.raises(psycopg.errors.UndefinedTable):
        postgres.repeated(lambda: (_ for _ in ()).throw(psycopg.errors.UndefinedTable("no table")))
