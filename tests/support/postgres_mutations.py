"""Every setting and every attribute of a role that Postgres shows, changed one at a time: from the live server.

A value counts as changeable if the server takes another one. What must not be changed is a row of `EXEMPT`, with the
reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

# A setting or a column -> why it is not changed.
EXEMPT = {
    **dict.fromkeys(("oid", "roleid", "member"), "another id is another object"),
    "rolname": "another name is another role: a missing and an extra one",
    "rolpassword": "proven by a login; without LOGIN it opens nothing",
    "grantor": "who granted a membership: no right follows from it",
    **dict.fromkeys(
        ("transaction_isolation", "transaction_read_only", "transaction_deferrable"),
        "of one transaction, not a setting",
    ),
    "default_table_access_method": "the server ships one only",
    "synchronized_standby_slots": "names replication slots, of which there are none",
    "bonjour": "the server is built without it",
}
# The superuser would lose what its session undoes the change with.
_GUARD = ("postgres", "rolsuper")
# Texts of which Postgres accepts certain ones only.
_WORDS = {
    "client_encoding": ("LATIN1",),
    "createrole_self_grant": ("set",),
    "datestyle": ("German",),
    "debug_io_direct": ("data",),
    "default_tablespace": ("pg_default",),
    "default_text_search_config": ("pg_catalog.simple",),
    **dict.fromkeys(("lc_messages", "lc_monetary", "lc_numeric", "lc_time"), ("C", "POSIX")),
    "log_connections": ("all",),
    "log_destination": ("csvlog",),
    "recovery_target": ("immediate",),
    "recovery_target_lsn": ("0/0",),
    "recovery_target_time": ("2040-01-01",),
    "recovery_target_timeline": ("current",),
    "recovery_target_xid": ("1",),
    "restrict_nonsystem_relation_kind": ("view",),
    "temp_tablespaces": ("pg_default",),
    **dict.fromkeys(("timezone", "log_timezone"), ("UTC", "Europe/Paris")),
    "timezone_abbreviations": ("India",),
    "wal_consistency_checking": ("all",),
}
# What a setting can be set for -> the subject of the finding.
_HOLDERS = {
    "ROLE orchestration": "every database for orchestration",
    "ROLE ALL": "every database for everyone",
    "DATABASE held": "held for everyone",
    "ROLE orchestration IN DATABASE held": "held for orchestration",
}
_CANNOT = psycopg.errors.CantChangeRuntimeParam


@dataclass(frozen=True)
class Mutation:
    """One value; `changes` are statements of which the first that the server takes gives it another one.

    `kind` groups the coverage, `subject` is the finding's.
    """

    kind: str
    name: str
    subject: str
    changes: Sequence[sql.Composed]
    undo: sql.Composed

    def apply(self, root: "psycopg.Connection[Any]") -> str:
        """Return why the server takes no other value, or nothing; raise `_CANNOT` where it has no such setting."""
        refusal = "no other value is known"
        for change in self.changes:
            try:
                root.execute(change)
            except _CANNOT:
                raise
            except psycopg.Error as error:
                if not error.sqlstate:  # the connection is lost
                    raise
                refusal = f"{error.sqlstate} {error.diag.message_primary}"
            else:
                return ""
        return refusal


def settings(root: "psycopg.Connection[Any]") -> Iterator[Mutation]:
    """Return a mutation for each setting that a superuser can change, in the server's file and for each holder."""
    rows = root.execute(
        "SELECT name, context, vartype, coalesce(setting, ''), min_val, max_val, enumvals FROM pg_settings"
        " WHERE context <> 'internal' ORDER BY name"
    ).fetchall()
    for name, context, *described in rows:
        values = list(_others(name.lower(), *described))
        if name.lower() in EXEMPT or not values:
            continue
        yield _setting(context, name, f"setting {name.lower()}", "SYSTEM", values)
        if context in ("user", "superuser"):
            for holder, who in _HOLDERS.items():
                yield _setting("role or database", name, f"setting of a role or database {who}", holder, values)


def _setting(kind: str, name: str, subject: str, holder: str, values: Sequence[str]) -> Mutation:
    altered = sql.SQL(f"ALTER {holder} ")
    named = sql.Identifier(*name.split("."))
    changes = [altered + sql.SQL("SET {} = {}").format(named, sql.Literal(value)) for value in values]
    return Mutation(
        f"setting ({kind})", f"{holder}: {name}", subject, changes, altered + sql.SQL("RESET {}").format(named)
    )


def _others(
    name: str, vartype: str, value: str, lowest: str | None, highest: str | None, words: Sequence[str] | None
) -> Iterator[str]:
    """Return other values that the setting may accept."""
    if vartype == "bool":
        yield "off" if value == "on" else "on"
    elif vartype == "enum":
        yield from (word for word in words or () if word != value)
    elif vartype == "string":
        yield f"{value}x"
        yield from (word for word in _WORDS.get(name, ()) if word != value)
    else:
        number = int if vartype == "integer" else float
        now, least, most = number(value), number(lowest or value), number(highest or value)
        yield from (str(n) for n in (now + 1, now - 1, least, most) if least <= n <= most and n != now)


def attributes(root: "psycopg.Connection[Any]") -> Iterator[Mutation]:
    """Return a mutation for each column of each role and of each membership."""
    # As JSON: a time may be infinite. By UPDATE: ALTER ROLE refuses the roles that Postgres ships.
    for (role,) in root.execute("SELECT to_jsonb(a) FROM pg_authid a ORDER BY a.rolname").fetchall():
        keys = {"rolname": role["rolname"]}
        for column, value in role.items():
            if column not in EXEMPT and (role["rolname"], column) != _GUARD:
                yield _column("role", "pg_authid", f"role {role['rolname']}", keys, column, value)
    members = root.execute(
        "SELECT to_jsonb(m), pg_get_userbyid(m.member) || ' in ' || pg_get_userbyid(m.roleid) FROM pg_auth_members m"
    ).fetchall()
    for membership, name in members:
        keys = {key: membership[key] for key in ("roleid", "member", "grantor")}
        for column, value in membership.items():
            if column not in EXEMPT:
                yield _column("membership", "pg_auth_members", f"membership {name}", keys, column, value)


def _column(kind: str, table: str, subject: str, keys: dict[str, Any], column: str, value: Any) -> Mutation:
    where = sql.SQL(" AND ").join(sql.SQL("{} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in keys.items())

    def to(other: Any) -> sql.Composed:
        update = sql.SQL("UPDATE {} SET {} = {} WHERE ").format(
            sql.Identifier(table), sql.Identifier(column), sql.Literal(other)
        )
        return update + where

    if isinstance(value, bool):
        other: Any = not value
    else:
        other = value + 6 if isinstance(value, int) else "2040-01-01"
    return Mutation(kind, f"{subject}: {column}", subject, [to(other)], to(value))
