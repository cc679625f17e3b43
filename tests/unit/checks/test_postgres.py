"""What a Postgres holds beside its declaration, from its answers."""

import shlex
from unittest.mock import Mock

import pytest

from dive_infra.checks import postgres
from dive_infra.checks.spec import DatabaseSpec
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.results.finding import Finding
from dive_infra.results.remedy import RemedyKind
from tests.unit.checks.specs import FRANCE

HELD = (DatabaseSpec("portal", "portal", "secret"),)
ATTRIBUTES = ("superuser", "createrole", "createdb", "login", "replication", "bypassrls")
SHIPPED = {
    **{("role", "pg_monitor", attribute): "f" for attribute in ATTRIBUTES},
    ("role", "pg_monitor", "inherit"): "t",
    ("role", "pg_monitor", "connections"): "-1",
    ("role", "pg_monitor", "valid until"): "always",
}
LIVE = {
    **postgres.declared(HELD),
    **SHIPPED,
    **{("extension", f"plpgsql of {name}", ""): "there" for name in ("postgres", "portal")},
}


def findings(*changed: tuple[postgres.Key, str]) -> list[Finding]:
    engine = DockerEngine(Mock())  # asks no server
    found = postgres.findings(LIVE | dict(changed), engine, FRANCE, HELD)
    return [f for f in found if f.verdict != "valid"]


def statements(finding: Finding) -> str:
    [command] = finding.remedy.choices
    return shlex.split(command)[-1]


def test_what_is_declared_and_what_postgres_ships_is_valid() -> None:
    assert findings() == []


@pytest.mark.parametrize("key", sorted(SHIPPED), ids=lambda key: key[2])
def test_a_role_that_postgres_ships_is_compared_and_its_statement_restores_it(key: postgres.Key) -> None:
    [found] = findings((key, "another"))
    assert found.subject == "role pg_monitor"
    assert "UPDATE pg_authid SET" in statements(found)
    assert "rolcanlogin = false" in statements(found)


def test_what_no_resource_of_pulumi_covers_is_restored_by_a_statement() -> None:
    [superuser] = findings((("role", "postgres", "connections"), "3"))
    assert "ALTER ROLE postgres SUPERUSER" in statements(superuser)
    [membership] = findings((("membership", "pg_monitor in pg_read_all_stats", ""), "granted, may be passed on"))
    assert 'GRANT "pg_read_all_stats" TO "pg_monitor"' in statements(membership)


@pytest.mark.parametrize("attribute", ["owner", "template", "connections"])
def test_a_database_that_differs_in_several_ways_names_what_restores_all_of_it(attribute: str) -> None:
    assert ("database", "portal", attribute) in LIVE
    [found] = findings((("database", "portal", "grants"), "=CONNECT"), (("database", "portal", attribute), "other"))
    assert found.remedy.kind == RemedyKind.REFRESH


def test_a_value_that_reads_like_its_absence_is_a_finding() -> None:
    [found] = findings((("setting", "stats_fetch_consistency", ""), "none"))
    assert found.subject == "setting stats_fetch_consistency"


def test_a_role_of_ours_needs_a_refresh() -> None:
    [found] = findings((("role", "portal", "createdb"), "t"))
    assert str(found.remedy) == "pulumi up --refresh"


def test_a_database_that_someone_lets_everyone_enter_is_closed_by_an_update() -> None:
    closed = LIVE["database", "portal", "grants"]
    assert closed == "portal=CONNECT,CREATE,TEMPORARY"
    for open_ in ("default", f"{closed} PUBLIC=CONNECT", f"{closed} keycloak=CONNECT"):
        [found] = findings((("database", "portal", "grants"), open_))
        assert (found.subject, found.found, str(found.remedy)) == ("database portal", f"grants {open_}", "pulumi up")


def test_a_line_that_postgres_cannot_read_is_removed_by_its_number() -> None:
    [found] = findings((("broken line", "12 of /data/postgresql.conf", ""), "syntax error"))
    assert (found.subject, found.found) == ("broken line 12 of /data/postgresql.conf", "syntax error")
    assert statements(found) == "sed -i 12d /data/postgresql.conf"


def test_a_rule_of_pg_hba_that_someone_adds_or_removes_goes_with_an_update() -> None:
    """The file is one of the container's, which an update writes again."""
    [added] = findings((("rule of pg_hba", "host all all 0.0.0.0 trust", ""), "in force"))
    assert (added.expected, str(added.remedy)) == ("none", "pulumi up")


def test_a_subscription_is_removed_without_the_other_server() -> None:
    [found] = findings((("subscription", "elsewhere of portal", ""), "there"))
    told = statements(found)
    assert told.index("DISABLE") < told.index("slot_name = NONE") < told.index('DROP SUBSCRIPTION "elsewhere"')
    assert " -d portal " in told
