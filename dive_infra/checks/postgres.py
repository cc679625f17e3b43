"""A country's Postgres holds what is declared and what its version ships: roles, databases, grants, settings, rules.

The superuser's password is in the server's own files. One connection asks what the server holds; one for each declared
database asks what is in it beside schemas: extensions, event triggers, publications, subscriptions, foreign data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from dive_infra.catalog.datastores import POSTGRES_PASSWORD, POSTGRES_RULES, POSTGRES_SHIPPED, SUPERUSER
from dive_infra.checks import objects, out_of_step
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.checks.spec import DatabaseSpec
from dive_infra.clients.postgres import WRONG_PASSWORD
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.engines.engine import ContainerFailed, Engine
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import OWNER, DatabaseAccess, LoginRefused, Unreachable
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy, RemedyKind

SENTENCE = "Postgres holds the declared roles, databases, grants and settings, and no others"

_UP = Remedy.update()
# Of an object that differs in several ways: an update with a refresh restores what a plain one does, and more.
_FIRST = (RemedyKind.DECIDE, RemedyKind.REFRESH, RemedyKind.UPDATE)
_ABSENT = "none"
_SUPERUSER = {
    "superuser": "t", "inherit": "t", "createrole": "t", "createdb": "t", "login": "t", "replication": "t",
    "bypassrls": "t", "connections": "-1", "valid until": "always",
}  # fmt: skip
_ORDINARY = {
    **dict.fromkeys(("superuser", "createrole", "createdb", "replication", "bypassrls"), "f"),
    "inherit": "t", "login": "t", "connections": "-1", "valid until": "always",
}  # fmt: skip
# Of a role that Postgres ships; its memberships are its rights.
_PREDEFINED = {**_ORDINARY, "login": "f"}
_TEMPLATE = f"{SUPERUSER}=CONNECT,CREATE,TEMPORARY PUBLIC=CONNECT"
_DATABASE = {"grants": "default", "connections": "-1", "open": "t", "template": "f"}
# Of pg_monitor, as initdb makes it.
_MEMBERS = ("pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")

# Each query yields (kind, object, attribute, value).
_QUERIES = """
SELECT 'role', r.rolname, a.name, a.value FROM pg_roles r, LATERAL (VALUES
    ('superuser', left(r.rolsuper::text, 1)), ('inherit', left(r.rolinherit::text, 1)),
    ('createrole', left(r.rolcreaterole::text, 1)), ('createdb', left(r.rolcreatedb::text, 1)),
    ('login', left(r.rolcanlogin::text, 1)), ('replication', left(r.rolreplication::text, 1)),
    ('bypassrls', left(r.rolbypassrls::text, 1)), ('connections', r.rolconnlimit::text),
    ('valid until', coalesce(nullif(r.rolvaliduntil::text, 'infinity'), 'always'))) a(name, value)
UNION ALL
SELECT 'membership', pg_get_userbyid(m.member) || ' in ' || pg_get_userbyid(m.roleid), '', string_agg(
    'granted' || CASE WHEN m.admin_option THEN ', may be passed on' ELSE '' END
    || CASE to_jsonb(m) ->> 'inherit_option' WHEN 'false' THEN ', not inherited' ELSE '' END
    || CASE to_jsonb(m) ->> 'set_option' WHEN 'false' THEN ', SET ROLE refused' ELSE '' END, '; ')
FROM pg_auth_members m GROUP BY m.member, m.roleid
UNION ALL
SELECT 'database', d.datname, a.name, a.value FROM pg_database d, LATERAL (VALUES
    ('owner', pg_get_userbyid(d.datdba)::text), ('connections', d.datconnlimit::text),
    ('open', left(d.datallowconn::text, 1)), ('template', left(d.datistemplate::text, 1)),
    ('grants', coalesce((SELECT string_agg(g.who || '=' || g.rights, ' ' ORDER BY g.who COLLATE "C" DESC) FROM (
        SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END AS who,
            string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ','
                ORDER BY x.privilege_type) AS rights
        FROM aclexplode(d.datacl) x GROUP BY 1) g), 'default'))) a(name, value)
UNION ALL
SELECT 'setting of a role or database',
    coalesce((SELECT datname::text FROM pg_database WHERE oid = s.setdatabase), 'every database') || ' for '
    || CASE s.setrole WHEN 0 THEN 'everyone' ELSE pg_get_userbyid(s.setrole)::text END,
    '', array_to_string(s.setconfig, ', ') FROM pg_db_role_setting s
UNION ALL
(SELECT DISTINCT ON (lower(f.name)) 'setting', lower(f.name), '', f.setting FROM pg_file_settings f
    WHERE f.name IS NOT NULL ORDER BY lower(f.name), f.seqno DESC)
UNION ALL
SELECT 'setting', lower(s.name), '', current_setting(s.name) FROM pg_settings s
WHERE s.source = 'configuration file'
    AND NOT EXISTS (SELECT FROM pg_file_settings f WHERE lower(f.name) = lower(s.name))
UNION ALL
SELECT 'broken line', f.sourceline || ' of ' || f.sourcefile, '', f.error FROM pg_file_settings f WHERE f.name IS NULL
UNION ALL
SELECT 'file of settings', 'postgresql.auto.conf', '', string_agg(f.name, ', ' ORDER BY f.name)
FROM pg_file_settings f WHERE f.sourcefile LIKE '%postgresql.auto.conf' HAVING count(f.name) > 0
UNION ALL
SELECT 'rule of pg_hba', concat_ws(' ', h.type, array_to_string(h.database, ','), array_to_string(h.user_name, ','),
    h.address, h.netmask, h.auth_method, array_to_string(h.options, ','), h.error), '', 'in force'
FROM pg_hba_file_rules h
UNION ALL
SELECT 'tablespace', t.spcname, '', pg_get_userbyid(t.spcowner) || coalesce(' ' || t.spcacl::text, '')
FROM pg_tablespace t
UNION ALL
SELECT 'replication slot', slot_name, '', 'there' FROM pg_replication_slots
"""
# Of one database; its name ends each object's.
_QUERIES_INSIDE = """
SELECT found.kind, found.name || ' of ' || current_database(), '', 'there' FROM (
    SELECT 'extension', extname::text FROM pg_extension
    UNION ALL SELECT 'event trigger', evtname::text FROM pg_event_trigger
    UNION ALL SELECT 'publication', pubname::text FROM pg_publication
    UNION ALL SELECT 'subscription', subname::text FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'foreign data wrapper', fdwname::text FROM pg_foreign_data_wrapper
) found(kind, name)
"""
_INSIDE = ("extension", "event trigger", "publication", "subscription", "foreign data wrapper")

Key = tuple[str, str, str]


@dataclass(frozen=True)
class _PostgresDifference:
    key: Key
    expected: str
    found: str
    remedy: Remedy


def declared(databases: Sequence[DatabaseSpec]) -> dict[Key, str]:
    """Return all that must be there, as (kind, object, attribute) -> value."""
    wanted: dict[Key, str] = {}

    def add(kind: str, name: str, attributes: Mapping[str, str]) -> None:
        wanted.update({(kind, name, attribute): value for attribute, value in attributes.items()})

    add("role", SUPERUSER, _SUPERUSER)
    for role in {d.user for d in databases}:
        add("role", role, _ORDINARY)
    for name in ("template0", "template1"):
        add("database", name, {**_DATABASE, "owner": SUPERUSER, "grants": _TEMPLATE, "template": "t"})
    wanted["database", "template0", "open"] = "f"
    add("database", SUPERUSER, {**_DATABASE, "owner": SUPERUSER})
    for database in databases:
        # Postgres lets everyone connect; `dynamic.database_logins` takes that away.
        grants = f"{database.user}=CONNECT,CREATE,TEMPORARY"
        add("database", database.name, {**_DATABASE, "owner": database.user, "grants": grants})
    for name in _MEMBERS:
        wanted["membership", f"pg_monitor in {name}", ""] = "granted"
    for rule in POSTGRES_RULES.splitlines():
        wanted["rule of pg_hba", " ".join(rule.split()), ""] = "in force"
    for name in ("pg_default", "pg_global"):
        wanted["tablespace", name, ""] = SUPERUSER
    return wanted


def holds(names: Names, databases: Sequence[DatabaseSpec], ca: str) -> list[Finding]:
    """Return a finding for each object that differs, or one that none does."""
    engine = objects.connect()
    return findings(_live(engine, names, databases, ca), engine, names, databases)


def findings(live: Mapping[Key, str], engine: Engine, names: Names, databases: Sequence[DatabaseSpec]) -> list[Finding]:
    """Return what `holds` does, of a content that is known."""
    container = names.container("postgres")
    wanted = declared(databases)
    wanted |= {("extension", f"plpgsql of {name}", ""): "there" for name in _open(databases, live)}
    off: dict[tuple[str, str], list[_PostgresDifference]] = {}
    for difference in _differences(wanted, live, engine, container, names):
        off.setdefault(difference.key[:2], []).append(difference)
    if not off:
        roles = len({name for kind, name, _ in live if kind == "role" and not _predefined(name)})
        return [Finding(SENTENCE, Verdict.VALID, found=f"{roles} roles, {len(databases)} databases", topic="postgres")]
    return [_finding(kind, name, found) for (kind, name), found in off.items()]


def _finding(kind: str, name: str, off: Sequence[_PostgresDifference]) -> Finding:
    added = all(d.expected == _ABSENT for d in off)
    return Finding(
        f"{kind} {name} of Postgres is as declared",
        Verdict.INVALID,
        _ABSENT if added else "; ".join(f"{d.key[2]} {d.expected}".strip() for d in off),
        "not declared" if added and off[0].key[2] else "; ".join(f"{d.key[2]} {d.found}".strip() for d in off),
        min((d.remedy for d in off), key=lambda remedy: _FIRST.index(remedy.kind)),
        code=Code.DATABASE,
        topic="postgres",
        subject=f"{kind} {name}",
    )


def _open(databases: Sequence[DatabaseSpec], live: Mapping[Key, str]) -> list[str]:
    """Return the databases to look into: a missing or closed one is a finding already.

    `template1` is left out: a connection there would refuse everyone else a new database.
    """
    known = dict.fromkeys([SUPERUSER, *(d.name for d in databases)])
    return [name for name in known if live.get(("database", name, "open")) == "t"]


def _live(engine: Engine, names: Names, databases: Sequence[DatabaseSpec], ca: str) -> dict[Key, str]:
    try:
        password = engine.read_file(names.container("postgres"), POSTGRES_PASSWORD).strip()
    except ContainerFailed as error:
        raise CheckUnknown(error.cause, _UP) from None
    access = DatabaseAccess.of(names, SUPERUSER, password, ca, SUPERUSER)
    try:
        with connection.connect(access, "dive check", CHECK_REQUEST) as session:
            live = content(session)
        for name in _open(databases, live):
            with connection.connect(replace(access, database=name), "dive check", CHECK_REQUEST) as session:
                live |= _keyed(session.execute(_QUERIES_INSIDE).fetchall())
    except Unreachable as error:
        raise objects.unanswered(error.cause, "an answer", _UP, Code.DATABASE) from None
    except LoginRefused as error:
        expected = f"a login as {SUPERUSER}"
        if error.state != WRONG_PASSWORD:
            raise CheckFailed(error.cause, expected, _UP, Code.DATABASE) from None
        found = f"{error.cause}: {out_of_step.sides(engine, names, 'postgres')}"
        raise CheckFailed(found, expected, out_of_step.postgres(engine, names), Code.DATABASE) from None
    except psycopg.Error as error:
        raise CheckUnknown(" ".join(str(error).split())) from None
    return live


def content(session: "psycopg.Connection[Any]") -> dict[Key, str]:
    """Return what the server holds, without what is inside its databases."""
    return _keyed(session.execute(_QUERIES).fetchall())


def _keyed(rows: Sequence[tuple[str, str, str, str]]) -> dict[Key, str]:
    return {(kind, name, attribute): value for kind, name, attribute, value in rows}


def _differences(
    wanted: dict[Key, str], live: Mapping[Key, str], engine: Engine, container: str, names: Names
) -> Iterator[_PostgresDifference]:
    wanted |= _former_deployers(live)
    for role in {name for kind, name, _ in live if kind == "role" and _predefined(name)}:
        wanted |= {("role", role, attribute): value for attribute, value in _PREDEFINED.items()}
    port = names.port("postgres")
    for key in sorted(wanted.keys() | live.keys()):
        kind, name, _ = key
        expected, found = wanted.get(key, _ABSENT), live.get(key, _ABSENT)
        if kind == "setting" and found in POSTGRES_SHIPPED.get(name, ()):
            continue
        if wanted.get(key) != live.get(key):  # a value may be the word for its absence
            yield _PostgresDifference(key, expected, found, _remedy(key, expected, found, engine, container, port))


def _predefined(role: str) -> bool:
    return role.startswith("pg_")  # Postgres refuses to create one


def _former_deployers(live: Mapping[Key, str]) -> dict[Key, str]:
    """Return the roles with which countries wrote to the hub's record before each had its own.

    They have no right any more, and go with the end of the update that proves this phase; accepted for one release.
    """
    there = [role for code in COUNTRIES if ("role", role := f"{OWNER}_{code.lower()}", "login") in live]
    return {("role", role, attribute): value for role in there for attribute, value in _ORDINARY.items()}


def _remedy(key: Key, expected: str, found: str, engine: Engine, container: str, port: int) -> Remedy:
    """Return what restores an object of ours; for one that someone may need, the command that removes it."""
    kind, name, attribute = key
    database = name.rpartition(" of ")[2] if kind in _INSIDE else SUPERUSER
    if expected != _ABSENT and (shipped := _restoration(kind, name)):
        return Remedy.decide(engine.command_in(container, _psql(port, shipped, database)))
    if expected != _ABSENT:
        seen = kind == "database" and (found == _ABSENT or attribute == "grants")  # by every update
        return Remedy.update() if seen or kind in ("tablespace", "rule of pg_hba") else Remedy.refresh()
    if kind == "broken line":
        line, _, file = name.partition(" of ")
        return Remedy.decide(engine.command_in(container, f"sed -i {line}d {file}"))
    sql = _removal(kind, name)
    if not sql:
        return Remedy.update()
    return Remedy.decide(engine.command_in(container, _psql(port, sql, database)))


def _restoration(kind: str, name: str) -> str:
    """Return the statement that restores what Postgres ships, which no resource of Pulumi covers."""
    if kind == "extension":
        return "CREATE EXTENSION plpgsql"
    if kind == "membership":
        member, _, role = name.partition(" in ")
        return f'REVOKE "{role}" FROM "{member}"; GRANT "{role}" TO "{member}"'
    if kind == "role" and name == SUPERUSER:
        return (
            f"ALTER ROLE {SUPERUSER} SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS"
            " CONNECTION LIMIT -1 VALID UNTIL $$infinity$$"
        )
    if kind == "role" and _predefined(name):  # ALTER ROLE refuses it
        return (
            "UPDATE pg_authid SET rolsuper = false, rolinherit = true, rolcreaterole = false,"  # noqa: S608  to be read
            " rolcreatedb = false, rolcanlogin = false, rolreplication = false, rolbypassrls = false,"
            f" rolconnlimit = -1, rolvaliduntil = NULL WHERE rolname = $${name}$$"
        )
    return ""


def _removal(kind: str, name: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "membership":
        member, _, role = name.partition(" in ")
        return f'REVOKE "{role}" FROM "{member}"'
    if kind == "setting of a role or database":
        database, _, role = name.partition(" for ")
        who = "ALL" if role == "everyone" else f'"{role}"'
        if database == "every database":
            return f"ALTER ROLE {who} RESET ALL"
        return (
            f'ALTER ROLE {who} IN DATABASE "{database}" RESET ALL'
            if who != "ALL"
            else (f'ALTER DATABASE "{database}" RESET ALL')
        )
    if kind == "file of settings":
        return "ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()"
    if kind == "setting":
        return f"ALTER SYSTEM RESET {quoted}; SELECT pg_reload_conf()"
    if kind == "replication slot":
        return f"SELECT pg_drop_replication_slot($${name}$$)"
    if kind == "subscription":  # the other server need not answer
        own = f'"{name.rpartition(" of ")[0]}"'
        alter = f"ALTER SUBSCRIPTION {own}"
        return f"{alter} DISABLE; {alter} SET (slot_name = NONE); DROP SUBSCRIPTION {own}"
    if kind in _INSIDE:
        return f'DROP {kind.upper()} "{name.rpartition(" of ")[0]}" CASCADE'
    words = {"role": "ROLE", "database": "DATABASE", "tablespace": "TABLESPACE"}
    return f"DROP {words[kind]} {quoted}" if kind in words else ""


def _psql(port: int, sql: str, database: str) -> str:
    statements = " ".join(f"-c '{one.strip()}'" for one in sql.split(";"))
    return f"PGPASSWORD=$(cat {POSTGRES_PASSWORD}) psql -q -U {SUPERUSER} -p {port} -d {database} {statements}"
