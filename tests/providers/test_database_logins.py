"""Roles log in with the password that is declared, and databases are there: no refresh sees either."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from dive_infra.catalog.datastores import SUPERUSER
from dive_infra.config.environment import ACCEPT_LOSS
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.database_logins import DatabaseLoginsProvider
from dive_infra.dynamic.orchestration import access_of
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import LoginRefused
from tests.support.record import Record

PROVIDER = DatabaseLoginsProvider()
ROLE, OTHER, KEPT, REMADE = "of_the_tests", "another_of_the_tests", "kept_data", "remade_data"


@pytest.fixture
def given(record: Record) -> Iterator[dict[str, Any]]:
    """As declared: a role, and two databases of which one holds data."""
    access = record.login(SUPERUSER, SUPERUSER)
    plain = {
        **asdict(access),
        "port": float(access.port),
        "password": record.lab.material.secrets["postgres-superuser"],
    }
    owners = {KEPT: ROLE, REMADE: ROLE}
    with record.superuser() as root:
        root.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'as-declared'")
        for name in owners:
            root.execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0".encode())
        root.execute(f"CREATE ROLE {OTHER} LOGIN PASSWORD 'of-another'")
    yield {"country": "FRA", "access": plain, "passwords": {ROLE: "as-declared"}, "owners": owners, "remade": [REMADE]}
    with record.superuser() as root:
        for name in owners:
            root.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        root.execute(f"DROP ROLE IF EXISTS {ROLE}")
        root.execute(f"DROP ROLE IF EXISTS {OTHER}")


def mended(given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    outs = PROVIDER.update("logins", before, given).outs
    assert outs
    assert PROVIDER.drift_reason(outs) is None
    return outs


def test_what_is_as_declared_is_left_alone(given: dict[str, Any]) -> None:
    outs = PROVIDER.create(given).outs
    assert outs
    assert outs["incarnations"] == {KEPT: 0, REMADE: 0}
    assert PROVIDER.drift_reason(outs) is None


@pytest.mark.parametrize(
    "harm",
    [
        "GRANT CONNECT ON DATABASE {} TO PUBLIC",
        "GRANT TEMPORARY ON DATABASE {} TO {other}",
        "GRANT CONNECT ON DATABASE {} TO {owner} WITH GRANT OPTION",
        "REVOKE CREATE ON DATABASE {} FROM {owner}",
        "REVOKE ALL ON DATABASE {} FROM {owner}",
        "",
    ],
)
def test_only_its_owner_may_enter_a_database(record: Record, given: dict[str, Any], harm: str) -> None:
    outs = PROVIDER.create(given).outs
    assert outs
    with record.superuser() as root:
        if harm:
            root.execute(harm.format(KEPT, owner=ROLE, other=OTHER).encode())
        else:  # as Postgres makes one
            root.execute(f"DROP DATABASE {KEPT}".encode())
            root.execute(f"CREATE DATABASE {KEPT} OWNER {ROLE} TEMPLATE template0".encode())
    assert PROVIDER.drift_reason(outs) == f"database {KEPT} is not its owner's alone"
    mended(given, outs)
    access = {**given["access"], "password": "of-another", "user": OTHER, "database": KEPT}
    with pytest.raises(LoginRefused, match="permission denied for database"):
        connection.connect(access_of(access), "tests").close()
    connection.connect(access_of({**access, "password": "as-declared", "user": ROLE}), "tests").close()


@pytest.mark.parametrize(
    "harm", [f"ALTER ROLE {ROLE} PASSWORD 'by-hand'", f"ALTER ROLE {ROLE} NOLOGIN"], ids=["password", "no login"]
)
def test_a_role_that_does_not_log_in_is_given_its_password_again(
    record: Record, given: dict[str, Any], harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = PROVIDER.create(given).outs
    assert outs
    with record.superuser() as root:
        root.execute(harm.encode())
    assert PROVIDER.drift_reason(outs) == f"role {ROLE} does not log in"
    mended(given, outs)
    assert "as-declared" not in capsys.readouterr().out


def test_a_dropped_role_is_made_again(record: Record, given: dict[str, Any]) -> None:
    given = {**given, "owners": {}}
    with record.superuser() as root:
        for name in (KEPT, REMADE):
            root.execute(f"DROP DATABASE {name}".encode())
        root.execute(f"DROP ROLE {ROLE}")
    mended(given, {**given, "incarnations": {}})


def test_a_dropped_database_is_recreated_only_where_that_loses_nothing_or_is_accepted(
    record: Record, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = PROVIDER.create(given).outs
    assert outs
    with record.superuser() as root:
        root.execute(f"DROP DATABASE {REMADE}".encode())
    assert PROVIDER.drift_reason(outs) == f"database {REMADE} is gone"
    outs = mended(given, outs)
    assert outs["incarnations"] == {KEPT: 0, REMADE: 1}
    with record.superuser() as root:
        root.execute(f"DROP DATABASE {KEPT}".encode())
    with pytest.raises(
        ProviderError, match=rf"(?s)database {KEPT} of FRA is gone.*{ACCEPT_LOSS}={KEPT} pulumi up -s fra"
    ):
        PROVIDER.update("logins", outs, given)
    monkeypatch.setenv(ACCEPT_LOSS, KEPT)
    assert mended(given, outs)["incarnations"] == {KEPT: 1, REMADE: 1}


def test_a_superuser_whose_password_is_refused_leads_to_the_command_that_gives_it_back(given: dict[str, Any]) -> None:
    refused = {**given, "access": {**given["access"], "password": "of-before-the-change"}}
    with pytest.raises(ProviderError, match=r"another password of its superuser than the state.*\./dive doctor FRA"):
        PROVIDER.update("logins", {}, refused)
