"""The schema that this program expects, its migrations, and the differences of a live schema."""

from hashlib import sha256
from importlib.resources import files
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.orchestration.access import NewerSchema, OlderSchema, SchemaMismatch
from dive_infra.process.crash_points import crash_point
from dive_infra.results.remedy import UP, Remedy

_TIME, _CODE, _STATE, _PHASE = "timestamp with time zone", "country_code", "deployment_state", "phase"
_RUN = {"run_id": "text"}

# table -> column -> type. A test compares it with the result of the migrations.
TABLES: dict[str, dict[str, str]] = {
    "deployment_states": {
        "instance_code": _CODE,
        "state": _STATE,
        "previous_state": _STATE,
        "changed_at": _TIME,
        "reason": "text",
        "created_by": "text",
        **_RUN,
    },
    "state_transitions": {
        "id": "bigint",
        "instance_code": _CODE,
        "from_state": _STATE,
        "to_state": _STATE,
        "transition_time": _TIME,
        "duration_seconds": "numeric",
        "reason": "text",
        "initiated_by": "text",
        **_RUN,
    },
    "deployment_locks": {
        "fence": "bigint",
        "instance_code": _CODE,
        "acquired_at": _TIME,
        "acquired_by": "text",
        "hostname": "text",
        "pid": "integer",
        "phase": "text",
        "released_at": _TIME,
        **_RUN,
    },
    "checkpoints": {
        "checkpoint_id": "bigint",
        "instance_code": _CODE,
        "checkpoint_level": _PHASE,
        "fingerprint": "text",
        "evidence": "text",
        "proven_at": _TIME,
        "created_at": _TIME,
        "created_by": "text",
        "fence": "bigint",
        "metadata": "jsonb",
        **_RUN,
    },
    "deployment_steps": {
        "instance_code": _CODE,
        "step_name": _PHASE,
        "status": "text",
        "started_at": _TIME,
        "completed_at": _TIME,
        "fingerprint": "text",
        "checkpoint_id": "bigint",
        "error_message": "text",
        "retry_count": "integer",
        **_RUN,
    },
    "orchestration_errors": {
        "id": "bigint",
        "instance_code": _CODE,
        "error_code": "text",
        "severity": "integer",
        "component": "text",
        "message": "text",
        "remediation": "text",
        "context": "jsonb",
        "occurred_at": _TIME,
        "resolved_at": _TIME,
        "resolved_by": "text",
        **_RUN,
    },
    "orchestration_metrics": {
        "id": "bigint",
        "instance_code": _CODE,
        "metric_name": "text",
        "metric_value": "double precision",
        "metric_unit": "text",
        "labels": "jsonb",
        "measured_at": _TIME,
        **_RUN,
    },
    "circuit_breakers": {
        "instance_code": _CODE,
        "operation_name": "text",
        "state": "text",
        "failure_count": "integer",
        "success_count": "integer",
        "last_failure_at": _TIME,
        "last_success_at": _TIME,
        "last_state_change": _TIME,
    },
    "federation_links": {
        "instance_code": _CODE,
        "source_code": _CODE,
        "target_code": _CODE,
        "idp_alias": "text",
        "client_id": "text",
        "status": "text",
        "error_message": "text",
        "login_seconds": "double precision",
        "last_verified_at": _TIME,
    },
    "countries": {"instance_code": _CODE, "role_name": "name", "admitted_at": _TIME, "admitted_by": "name"},
    "member_reports": {
        "instance_code": _CODE,
        "issued_at": _TIME,
        "state": "text",
        "phases": "jsonb",
        "links": "jsonb",
        "noted_at": _TIME,
    },
    "audit_log": {
        "id": "bigint",
        "occurred_at": _TIME,
        "instance_code": "text",
        "db_role": "name",
        "client": "text",
        "table_name": "name",
        "operation": "text",
        "row_key": "text",
        "columns": "text[]",
    },
    "schema_migrations": {
        "version": "integer",
        "name": "text",
        "checksum": "text",
        "applied_at": _TIME,
        "applied_by": "name",
    },
}

# What a deployment does with each table; a lost right is reported before a query needs it.
_WRITTEN = ("deployment_states", "deployment_steps", "deployment_locks", "federation_links", "orchestration_errors")
_APPENDED = ("state_transitions", "checkpoints", "orchestration_metrics")
RIGHTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_WRITTEN, ("SELECT", "INSERT", "UPDATE")),
    "member_reports": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    **dict.fromkeys(_APPENDED, ("SELECT", "INSERT")),
    "schema_migrations": ("SELECT",),
}

_MIGRATIONS = sorted(
    (f for f in files("dive_infra.orchestration").joinpath("migrations").iterdir() if f.name.endswith(".sql")),
    key=lambda f: f.name,
)
VERSION = len(_MIGRATIONS)
# Advisory lock of migrations: programs that run side by side must use the same.
_SCHEMA_LOCK = 1_234_567_890
_REMEDY = Remedy.update()


def migrate(connection: Connection[TupleRow]) -> int:
    """Migrate the schema to this program's version in one transaction; return the number of migrations applied.

    A right that the owner has lost is granted again.

    Raise `NewerSchema` if the database is ahead, and `SchemaMismatch` if an applied migration had another text.
    """
    with crash_point("migrate schema"), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
            " applied_by name NOT NULL DEFAULT session_user)"
        )
        applied: dict[int, str] = dict(connection.execute("SELECT version, checksum FROM schema_migrations").fetchall())
        _not_newer(max(applied, default=0))
        for version, file in enumerate(_MIGRATIONS, 1):
            text = file.read_text()
            checksum = sha256(text.encode()).hexdigest()
            if applied.setdefault(version, checksum) != checksum:
                raise SchemaMismatch(
                    f"migration {file.name} was applied with another text: expected checksum {checksum[:12]}, found "
                    f"{applied[version][:12]}",
                    Remedy.decide("never edit an applied migration, add a new one"),
                )
        pending = _MIGRATIONS[_count(connection) :]
        for version, file in enumerate(pending, VERSION - len(pending) + 1):
            text = file.read_text()
            connection.execute(text.encode())
            connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                [version, file.name, sha256(text.encode()).hexdigest()],
            )
        if _lost(connection, RIGHTS):
            connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO CURRENT_USER")
    return len(pending)


def compare(connection: Connection[TupleRow]) -> None:
    """Raise `SchemaMismatch` (`NewerSchema`, `OlderSchema`), with expected and found, unless the schemas agree."""
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
    ).fetchall():
        columns.setdefault(table, {})[column] = kind
    if "schema_migrations" not in columns:
        raise OlderSchema(f"the orchestration schema does not exist: expected version {VERSION}, found none", _REMEDY)
    _rights(connection, {"schema_migrations": ("SELECT",)})
    found = _count(connection)
    _not_newer(found)
    if found < VERSION:
        raise OlderSchema(f"the orchestration schema has version {found}, expected {VERSION}", _REMEDY)
    differences = [line for table, wanted in TABLES.items() for line in _differences(table, wanted, columns.get(table))]
    if differences:
        raise SchemaMismatch(
            "the orchestration schema does not match this program: " + "; ".join(differences),
            Remedy.decide(
                "restore the named columns, or give up the record in this one run, after which all checkpoints are "
                f"proven again: {ACCEPT_LOSS}=orchestration {UP}",
            ),
        )
    _rights(connection, RIGHTS)


def _differences(table: str, wanted: dict[str, str], found: dict[str, str] | None) -> list[str]:
    if found is None:
        return [f"table {table}: expected, found none"]
    extra = sorted(set(found) - set(wanted))
    lines = [
        f"column {table}.{c} ({k}): expected, found {'none' if not extra else 'only ' + ', '.join(extra) + ' beside'}"
        for c, k in wanted.items()
        if c not in found
    ]
    lines += [
        f"column {table}.{c}: expected type {k}, found {found[c]}" for c, k in wanted.items() if found.get(c, k) != k
    ]
    return lines


def _rights(connection: Connection[TupleRow], wanted: dict[str, tuple[str, ...]]) -> None:
    if lost := _lost(connection, wanted):
        role, missing = lost[0][2], ", ".join(f"{right} on {table}" for table, right, _ in lost)
        raise SchemaMismatch(f"role {role} has no right to {missing}: expected of its owner", _REMEDY)


def _lost(connection: Connection[TupleRow], wanted: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
    """Return the rights that this session lacks: table, right, role."""
    pairs = [(table, right) for table, rights in wanted.items() for right in rights]
    return connection.execute(
        "SELECT t, r, current_user FROM unnest(%s::text[], %s::text[]) AS w(t, r)"
        " WHERE NOT has_table_privilege(to_regclass('public.' || t), r)",
        [[t for t, _ in pairs], [r for _, r in pairs]],
    ).fetchall()


def drop(connection: Connection[TupleRow]) -> None:
    """Remove the schema with everything that was recorded."""
    with crash_point("drop schema"), connection.transaction():
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def _count(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()
    assert row is not None  # an aggregate always returns one row
    return int(row[0])


def _not_newer(found: int) -> None:
    if found > VERSION:
        raise NewerSchema(
            f"the orchestration database has schema version {found}, this program knows {VERSION}: it was "
            "deployed by a newer version",
            Remedy.decide("update the program (git pull), never go back"),
        )
