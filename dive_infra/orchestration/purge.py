"""Remove a country's current rows from the record. Its history is never touched."""

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

# History: what happened, who held the lock (checkpoints point there), and who changed what.
KEPT = ("state_transitions", "checkpoints", "deployment_locks", "orchestration_metrics", "audit_log")
ERASED = ("federation_links", "deployment_steps", "deployment_states", "circuit_breakers", "orchestration_errors")
_ELSEWHERE = ("countries", "schema_migrations")  # what the hub approves, and the migrations of the schema

_LINKS = SQL("%(code)s IN (instance_code, source_code, target_code)")
_ROWS = SQL("instance_code = %(code)s")


def rows(connection: Connection[Any], country: str) -> dict[str, int]:
    """Return table -> number of the country's rows, for the tables that `erase` clears."""
    return {table: _count(connection, table, country) for table in ERASED}


def history(connection: Connection[Any], country: str) -> int:
    """Return the number of rows of the country's history."""
    return sum(_count(connection, table, country) for table in KEPT)


def erase(connection: Connection[Any], country: str) -> None:
    """Delete the current rows of a country; inside a transaction of the owner, who alone has the right."""
    for table in ERASED:
        statement = SQL("DELETE FROM {} WHERE {}").format(Identifier(table), _where(table))
        connection.execute(statement, {"code": country.lower()})


def _count(connection: Connection[Any], table: str, country: str) -> int:
    statement = SQL("SELECT count(*) FROM {} WHERE {}").format(Identifier(table), _where(table))
    row = connection.execute(statement, {"code": country.lower()}).fetchone()
    assert row is not None  # an aggregate always returns one row
    return int(row[0])


def _where(table: str) -> SQL:
    return _LINKS if table == "federation_links" else _ROWS
