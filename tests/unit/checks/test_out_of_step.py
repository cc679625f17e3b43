"""A server that refuses the secret of the state: which side is named as the older, and what the commands really do."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from dive_infra.catalog.keycloak import CONFIGURATION
from dive_infra.catalog.keycloak import keycloak as keycloak_service
from dive_infra.catalog.spec import Material
from dive_infra.checks import deployment, objects, out_of_step, postgres
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.checks.spec import DatabaseSpec
from dive_infra.clients.postgres import WRONG_PASSWORD
from dive_infra.engines.docker.docker_engine import DockerEngine
from dive_infra.engines.engine import ContainerFailed
from dive_infra.identity.keycloak_admin import Forbidden, KeycloakUnreachable, SecretRefused
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import LoginRefused
from dive_infra.results.remedy import RemedyKind
from tests.unit.checks.specs import FRANCE, SECRET

CHANGED = datetime(2026, 11, 24, 12, tzinfo=UTC)
FORMS = r"$a$$b`c;d&e/f|g(h)#{i}*~"  # every kind of character that a secret may have


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The container has had the state's secret since `CHANGED`."""
    there = Mock()
    there.created.return_value = CHANGED
    there.read_file.return_value = f"{SECRET}\n"
    there.offline_command.side_effect = lambda name, script: f"offline {name}"
    monkeypatch.setattr(objects, "connect", lambda: there)
    return there


def test_both_sides_are_named_with_the_age_of_the_states_value(engine: Mock) -> None:
    told = out_of_step.sides(engine, FRANCE, "postgres")
    assert told == (
        "the data in t-unit-fra-postgres-data holds another secret than the state, whose value t-unit-fra-postgres has "
        "had since 2026-11-24 12:00:00 UTC: one of them was restored from before a change, or it was set by hand"
    )
    engine.created.return_value = None
    assert "the state: one of them" in out_of_step.sides(engine, FRANCE, "postgres")


@pytest.mark.parametrize(("state", "out_of_line"), [(WRONG_PASSWORD, True), ("28000", False)])
def test_a_superuser_whose_password_is_refused_has_a_command_and_no_other_has(
    engine: Mock, monkeypatch: pytest.MonkeyPatch, state: str, out_of_line: bool
) -> None:
    refusal = Mock(side_effect=LoginRefused("refused", state=state))
    monkeypatch.setattr(connection, "connect", refusal)
    with pytest.raises(CheckFailed) as red:
        postgres.holds(FRANCE, (), "CA")
    assert red.value.remedy.kind == (RemedyKind.DECIDE if out_of_line else RemedyKind.UPDATE)
    assert ("another secret than the state" in red.value.found) == out_of_line
    if out_of_line:
        assert red.value.remedy.command("FRA") == f"offline {FRANCE.container('postgres')}, then: ./dive up FRA"


def test_a_role_is_given_its_password_by_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", Mock(side_effect=LoginRefused("refused", state=WRONG_PASSWORD)))
    with pytest.raises(CheckFailed, match="the server holds another password than the state") as red:
        deployment.postgres(FRANCE, DatabaseSpec("portal", "portal", SECRET), "CA")
    assert red.value.remedy.kind == RemedyKind.UPDATE


def test_the_container_that_lacks_the_states_secret_gets_it_first(engine: Mock) -> None:
    in_step = out_of_step.refused_mongodb(FRANCE, SECRET, "refused")
    assert isinstance(in_step, CheckFailed)
    assert in_step.remedy.kind == RemedyKind.DECIDE
    engine.read_file.return_value = "another"
    behind = out_of_step.refused_mongodb(FRANCE, SECRET, "refused")
    assert isinstance(behind, CheckFailed)
    assert behind.remedy.kind == RemedyKind.UPDATE
    engine.read_file.side_effect = ContainerFailed("no such container")
    assert isinstance(out_of_step.refused_mongodb(FRANCE, SECRET, "refused"), CheckUnknown)


@pytest.mark.parametrize(
    ("request_", "error", "expected"),
    [
        ("log_in", SecretRefused("refused"), CheckFailed),
        ("log_in", KeycloakUnreachable("away"), CheckUnknown),
        ("get", Forbidden("lacks a role"), CheckUnknown),
        ("get", KeycloakUnreachable("away"), CheckUnknown),
    ],
)
def test_keycloaks_account_is_wrong_only_if_its_login_is_refused(
    engine: Mock, monkeypatch: pytest.MonkeyPatch, request_: str, error: Exception, expected: type[Exception]
) -> None:
    engine.command_in.return_value = "in"
    for name in ("log_in", "get"):
        answer = Mock(side_effect=error if name == request_ else None)
        monkeypatch.setattr(f"dive_infra.identity.keycloak_admin.KeycloakAdmin.{name}", answer)
    monkeypatch.setattr("dive_infra.identity.https.client", Mock())
    with pytest.raises(expected):
        deployment.keycloak(FRANCE, SECRET, "CA")


def test_the_command_for_keycloak_sends_the_secret_of_its_file_to_its_database(tmp_path: Path) -> None:
    """With a `docker` and a `dive` that this test plays: the shell, its quotes and `sed` are real."""
    secrets = {"keycloak-db": "db", "keycloak-admin": FORMS}
    written = keycloak_service(FRANCE, FRANCE).files(Material(secrets, "", "", ""))
    (tmp_path / "keycloak.conf").write_text(written[CONFIGURATION])
    play = tmp_path / "docker"
    play.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *-i*{FRANCE.container("postgres")}*) cat >sent;; '
        f"*{FRANCE.container('keycloak')}*) cat keycloak.conf;; esac\n"
    )
    (tmp_path / "dive").write_text('#!/bin/sh\necho "$*" >restarted\n')
    for program in ("docker", "dive"):
        (tmp_path / program).chmod(0o755)
    command = str(out_of_step.keycloak(DockerEngine(Mock()), FRANCE)).partition(", then: ")[0]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "sent").read_text() == (
        f"UPDATE client SET secret = '{FORMS}' WHERE client_id = 'dive-deployer' "
        "AND realm_id = (SELECT id FROM realm WHERE name = 'master')\n"
    )
    assert (tmp_path / "restarted").read_text() == "restart FRA keycloak\n"
