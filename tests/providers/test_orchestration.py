"""The orchestration database: its schema, its rows and its lock, on a real Postgres."""

import subprocess
import sys
import textwrap
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from dive_infra.automation import failed_update
from dive_infra.dynamic.runtime.deployment_run import DeploymentRun
from dive_infra.membership.status import PublishedPhase, PublishedStatus
from dive_infra.orchestration import connection, schema
from dive_infra.orchestration.access import (
    OWNER,
    DatabaseAccess,
    Fenced,
    Locked,
    LoginRefused,
    NewerSchema,
    OlderSchema,
    QueryFailed,
    SchemaMismatch,
    TransitionRefused,
    Unreachable,
)
from dive_infra.orchestration.overview import overview
from dive_infra.orchestration.records import Proof, Run, this_run
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.orchestration.store import Store
from dive_infra.plans.events import UpdateError
from tests.support.record import FORMER, Book, Record, book


def run(name: str = "run-1") -> Run:
    return Run(name, "somebody@somewhere", "somewhere", 4711)


def proof(phase: Phase, fingerprint: str = "f1") -> Proof:
    return Proof(phase, fingerprint, f"{phase} proven", "2026-01-01T00:00:00+00:00", 0.5, "run-1")


def held(access: DatabaseAccess, country: str = "FRA", name: str = "run-1") -> Store:
    store = Store(access, run(name))
    store.hold(country, "PREFLIGHT")
    return store


# Schema


def test_the_expected_schema_is_what_the_migrations_make(orchestration: Book) -> None:
    rows = orchestration.sql(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a"
        " ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
    )
    made: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        made.setdefault(str(table), {})[str(column)] = str(kind)
    assert made == schema.TABLES


def test_migrating_twice_changes_nothing(orchestration: Book) -> None:
    with connection.connect(orchestration.owner) as live:
        assert schema.migrate(live) == 0


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "ALTER TABLE deployment_steps RENAME step_name TO phase",
            "deployment_steps.step_name (phase): expected, found only phase",
        ),
        ("ALTER TABLE checkpoints DROP COLUMN evidence", "checkpoints.evidence (text): expected, found none"),
        ("DROP TABLE circuit_breakers", "table circuit_breakers: expected, found none"),
        (
            "ALTER TABLE deployment_locks ALTER pid TYPE bigint",
            "deployment_locks.pid: expected type integer, found bigint",
        ),
    ],
)
def test_another_schema_is_an_error_of_its_own(orchestration: Book, damage: str, told: str) -> None:
    orchestration.sql(damage)
    with pytest.raises(SchemaMismatch) as caught:
        Store(orchestration.owner)
    assert told in str(caught.value)


def test_an_older_program_refuses_a_newer_database(orchestration: Book) -> None:
    orchestration.sql("INSERT INTO schema_migrations VALUES (99, '0099_future.sql', 'x')")
    with pytest.raises(NewerSchema, match=r"version 99, this program knows 3"):
        Store(orchestration.owner)
    with connection.connect(orchestration.owner) as live, pytest.raises(NewerSchema):
        schema.migrate(live)


def test_an_edited_migration_is_refused(orchestration: Book) -> None:
    orchestration.sql("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
    with connection.connect(orchestration.owner) as live, pytest.raises(SchemaMismatch, match=r"0001_tables.sql"):
        schema.migrate(live)


def test_a_lost_right_is_reported_by_name_and_granted_again(orchestration: Book) -> None:
    orchestration.sql(f"REVOKE INSERT ON checkpoints FROM {OWNER}")
    with pytest.raises(SchemaMismatch, match="no right to INSERT on checkpoints"):
        Store(orchestration.owner)
    with connection.connect(orchestration.owner) as live:
        assert schema.migrate(live) == 0
    with Store(orchestration.owner):
        pass


def test_what_a_hub_admitted_before_has_no_right_any_more(record: Record) -> None:
    """The last release had a role for each country in the hub's record."""
    with book(record, migrated=False) as hub:
        with connection.connect(hub.owner) as live, pytest.MonkeyPatch.context() as before:
            before.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:2])
            before.setattr(schema, "VERSION", 2)
            schema.migrate(live)
            live.execute("SELECT admit('fra', %s)", [FORMER])
        with connection.connect(replace(hub.owner, user=FORMER)) as france:
            assert france.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)
        with connection.connect(hub.owner) as live:
            assert schema.migrate(live) == 1
        with pytest.raises(LoginRefused, match="permission denied for database"):
            connection.connect(replace(hub.owner, user=FORMER))


def test_a_failing_migration_leaves_nothing(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "0004_broken.sql"

        def read_text(self) -> str:
            return "CREATE TABLE half (); SELECT nonsense"

    with book(record, migrated=False) as blank:
        monkeypatch.setattr(schema, "_MIGRATIONS", [*schema._MIGRATIONS, Broken()])
        monkeypatch.setattr(schema, "VERSION", 4)
        with (
            connection.connect(blank.owner) as live,
            pytest.raises(QueryFailed, match="nonsense"),
            connection.translated_errors(),
        ):
            schema.migrate(live)
        assert blank.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
        with pytest.raises(OlderSchema, match="does not exist"):
            Store(blank.owner)


# Three answers


def test_no_row_is_an_answer(orchestration: Book) -> None:
    with Store(orchestration.owner) as store:
        assert store.current("FRA") is None
        assert store.step("FRA", Phase.SEEDING) is None
        assert store.holder("FRA") is None
        assert store.age("FRA", Phase.SEEDING) is None


def test_a_failing_query_is_another(orchestration: Book) -> None:
    with Store(orchestration.owner) as store:
        orchestration.sql("ALTER TABLE deployment_steps RENAME step_name TO phase")
        with pytest.raises(QueryFailed, match="step_name"):
            store.step("FRA", Phase.SEEDING)


def test_a_database_out_of_reach_is_a_third(orchestration: Book) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        Store(replace(orchestration.owner, port=1))
    assert time.monotonic() - started < 2
    with Store(orchestration.owner) as store:
        orchestration.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orchestration'")
        with pytest.raises(Unreachable, match="was lost"):
            store.current("FRA")
        assert not store.alive


def test_a_wrong_password_and_an_unknown_server_are_distinguished(orchestration: Book) -> None:
    with pytest.raises(LoginRefused, match="password authentication failed"):
        Store(replace(orchestration.owner, password="wrong"))
    with pytest.raises(Unreachable, match="certificate"):
        Store(replace(orchestration.owner, host="postgres.elsewhere.localhost"))


# Rows


def test_a_country_walks_from_unknown_to_complete(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        for phase in Phase:
            store.complete("FRA", proof(phase))
            step = store.step("FRA", phase)
            assert step
            assert (step.status, step.evidence) == (Status.COMPLETED, f"{phase} proven")
        current = store.current("FRA")
        assert current
        assert current.state == State.COMPLETE
    walked = orchestration.sql("SELECT to_state FROM state_transitions ORDER BY id")
    assert [state for (state,) in walked] == ["INITIALIZING", "DEPLOYING", "CONFIGURING", "VERIFYING", "COMPLETE"]


def test_a_single_phase_done_again_ends_complete(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        store.complete("FRA", *(proof(phase) for phase in Phase))
        store.complete("FRA", proof(Phase.SEEDING, "f2"))
        store.complete("FRA", proof(Phase.VERIFICATION))
        current = store.current("FRA")
    assert current
    assert current.state == State.COMPLETE
    assert orchestration.sql("SELECT count(*) FROM deployment_steps") == [(6,)]
    assert orchestration.sql("SELECT count(*) FROM checkpoints") == [(8,)]


def test_a_failed_phase_is_recorded_with_its_error_and_done_again(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        store.complete("FRA", proof(Phase.PREFLIGHT))
        store.fail("FRA", Phase.INITIALIZATION, "f1", "no network", 1003)
        failed = store.step("FRA", Phase.INITIALIZATION)
        current = store.current("FRA")
        assert failed
        assert current
        assert (failed.status, current.state) == (Status.FAILED, State.FAILED)
        store.complete("FRA", proof(Phase.INITIALIZATION))
        again = store.current("FRA")
        assert again
        assert again.state == State.DEPLOYING
    assert orchestration.sql("SELECT error_code, message FROM orchestration_errors") == [("1003", "no network")]


def test_partial_is_a_state_and_a_refused_transition_an_error(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        store.complete("FRA", proof(Phase.DEPLOYMENT))
        orchestration.sql("UPDATE deployment_states SET state = 'PARTIAL'")
        store.complete("FRA", proof(Phase.VERIFICATION))
        current = store.current("FRA")
        assert current
        assert current.state == State.COMPLETE
        orchestration.sql("UPDATE deployment_states SET state = 'ROLLING_BACK'")
        with pytest.raises(TransitionRefused, match="leads from state ROLLING_BACK to COMPLETE"):
            store.complete("FRA", proof(Phase.VERIFICATION))


@pytest.mark.parametrize("state", ["UNKNOWN", "INITIALIZING", "DEPLOYING", "CONFIGURING", "COMPLETE", "FAILED"])
def test_earlier_phases_are_recorded_with_a_later_one_wherever_the_country_is(orchestration: Book, state: str) -> None:
    with held(orchestration.owner) as store:
        store.complete("FRA", proof(Phase.PREFLIGHT))
        orchestration.sql(f"UPDATE deployment_states SET state = '{state}'")
        store.complete("FRA", *(proof(phase, "f2") for phase in list(Phase)[:3]))
        current = store.current("FRA")
    assert current
    assert current.state == State.CONFIGURING
    assert orchestration.sql("SELECT DISTINCT fingerprint FROM deployment_steps WHERE status = 'COMPLETED'") == [
        ("f2",)
    ]


def test_whoever_is_refused_reads_the_phase_of_the_last_change(orchestration: Book) -> None:
    """Not that of the last record: documents may be written for minutes before SEEDING is recorded."""
    with held(orchestration.owner) as store:
        store.complete("FRA", *(proof(phase) for phase in list(Phase)[:3]))
        store.begin("FRA", Phase.SEEDING)
        holder = store.holder("FRA")
    assert holder
    assert holder.phase == Phase.SEEDING


def test_a_country_taken_back_is_unknown_again(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        store.complete("FRA", *(proof(phase) for phase in list(Phase)[:4]))
        for phase in reversed(Phase):
            store.forget("FRA", phase)
        current = store.current("FRA")
    assert current
    assert current.state == State.UNKNOWN
    assert orchestration.sql("SELECT DISTINCT status FROM deployment_steps") == [("PENDING",)]


def test_values_are_parameters(orchestration: Book) -> None:
    evil = "'); DROP TABLE checkpoints; --"
    with held(orchestration.owner) as store:
        store.fail("FRA", Phase.SEEDING, evil, evil)
        step = store.step("FRA", Phase.SEEDING)
        assert step
        assert step.fingerprint == evil
        with pytest.raises(QueryFailed, match="country_code"):
            store.measure("fra'; --", "x", 1, "s")


# Lock


def test_a_second_deployment_is_refused_and_learns_who_holds_the_lock(orchestration: Book) -> None:
    with held(orchestration.owner), Store(orchestration.owner, run("run-2")) as second:
        with pytest.raises(Locked, match=r"somebody@somewhere \(pid 4711 on somewhere, since .*, phase PREFLIGHT\)"):
            second.hold("FRA", "PREFLIGHT")
        holder = second.holder("FRA")
        assert holder
        assert holder.live


def test_a_killed_owner_is_taken_over_at_once_and_found_interrupted(orchestration: Book) -> None:
    program = textwrap.dedent(
        """
        import json, sys, time
        from dive_infra.orchestration.access import DatabaseAccess
        from dive_infra.orchestration.records import Proof
        from dive_infra.orchestration.states import Phase
        from dive_infra.orchestration.store import Store
        store = Store(DatabaseAccess(**json.load(sys.stdin)))
        store.hold("FRA", "PREFLIGHT")
        store.complete("FRA", Proof(Phase.DEPLOYMENT, "f", "e", "2026-01-01T00:00:00+00:00", 1, "r"))
        print("held", flush=True)
        time.sleep(600)
        """
    )
    import json

    owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdin
        assert owner.stdout
        owner.stdin.write(json.dumps(asdict(orchestration.owner)))
        owner.stdin.close()
        assert owner.stdout.readline() == "held\n"
        with Store(orchestration.owner, run("run-2")) as store:
            with pytest.raises(Locked, match=f"pid {owner.pid}"):
                store.hold("FRA", "PREFLIGHT")
            owner.kill()
            owner.wait()
            started = time.monotonic()
            while True:
                try:
                    store.hold("FRA", "PREFLIGHT")
                    break
                except Locked:
                    assert time.monotonic() - started < 2
            current = store.current("FRA")
            assert current
            assert current.state == State.FAILED
            assert f"interrupted: {run().actor.split('@')[0]}" not in current.reason
            assert f"pid {owner.pid}" in current.reason
    finally:
        owner.kill()


def test_a_stalled_owner_that_wakes_up_cannot_write(orchestration: Book) -> None:
    with held(orchestration.owner) as stalled:
        # The server gave the stalled session up and another took over; its own connection is still open here.
        orchestration.sql("UPDATE deployment_locks SET released_at = clock_timestamp()")
        orchestration.sql(
            "INSERT INTO deployment_locks (instance_code, run_id, acquired_by, hostname, pid, phase)"
            " VALUES ('fra', 'run-2', 'other', 'other', 1, 'SEEDING')"
        )
        with pytest.raises(Fenced, match="lock was lost to a later deployment"):
            stalled.complete("FRA", proof(Phase.SEEDING))
    assert orchestration.sql("SELECT count(*) FROM checkpoints") == [(0,)]


def test_nothing_is_written_without_the_lock(orchestration: Book) -> None:
    with Store(orchestration.owner) as store, pytest.raises(Unreachable, match="lock is not held"):
        store.complete("FRA", proof(Phase.SEEDING))


# An update that failed where no provider of ours could record it

BROKEN = UpdateError(Phase.DEPLOYMENT, "no such image")


def test_a_failed_update_leaves_the_record_failed_with_its_phase_and_without_a_holder(orchestration: Book) -> None:
    access = orchestration.owner
    with held(access) as store:
        store.complete("FRA", *(proof(phase) for phase in Phase))
        store.release("FRA")
    with Store(access, run("run-2")) as store:
        store.begin("FRA", Phase.DEPLOYMENT)
    before = failed_update.record(access, run("run-2"), "FRA", BROKEN)
    assert before
    assert before.state == State.INITIALIZING
    with Store(access) as store:
        current, step = store.current("FRA"), store.step("FRA", Phase.DEPLOYMENT)
        assert store.holder("FRA") is None
    assert current
    assert step
    assert (current.state, current.reason) == (State.FAILED, "DEPLOYMENT: no such image")
    assert (current.run_id, step.status, step.fingerprint) == ("run-2", Status.FAILED, "f1")
    assert orchestration.sql("SELECT component, message FROM orchestration_errors") == [("DEPLOYMENT", "no such image")]


def test_what_the_failed_run_recorded_itself_is_kept(orchestration: Book) -> None:
    access = orchestration.owner
    with held(access, name="run-2") as store:
        store.record_failure("FRA", Phase.DEPLOYMENT, "Gate", OSError("no bulb"))
    failed_update.record(access, run("run-2"), "FRA", BROKEN)
    failed_update.record(access, run("run-2"), "FRA", BROKEN)
    assert orchestration.sql("SELECT component, message FROM orchestration_errors") == [("Gate", "no bulb")]
    assert orchestration.sql("SELECT status, retry_count FROM deployment_steps") == [("FAILED", 0)]
    with Store(access) as store:
        current = store.current("FRA")
    assert current
    assert current.reason == "Gate: no bulb"


def test_a_failure_without_a_phase_is_of_the_first_phase_that_is_not_completed(orchestration: Book) -> None:
    access = orchestration.owner
    with held(access) as store:
        store.complete("FRA", proof(Phase.PREFLIGHT))
    failed_update.record(access, run(), "FRA", None)
    found = orchestration.sql("SELECT step_name FROM deployment_steps WHERE status = 'FAILED'")
    assert found == [("INITIALIZATION",)]


def test_the_process_of_our_providers_records_that_its_run_failed(orchestration: Book) -> None:
    access = orchestration.owner
    deployment = DeploymentRun()
    deployment.pass_checkpoint("FRA", Phase.PREFLIGHT, access)
    deployment.end()
    assert orchestration.sql("SELECT count(*) FROM deployment_states") == [(0,)], "it has changed nothing"
    deployment.begin()
    deployment.end()
    with Store(access) as store:
        current = store.current("FRA")
        assert store.holder("FRA") is None
    assert current
    assert (current.state, current.run_id) == (State.FAILED, this_run().id)
    assert current.reason == "PREFLIGHT: the update ended before this phase was proven; its output names the cause"


def test_an_update_that_failed_before_it_reached_a_phase_leaves_no_trace(orchestration: Book) -> None:
    access = orchestration.owner
    failed_update.record(access, run(), "FRA", UpdateError(None, "incorrect passphrase"))
    assert orchestration.sql("SELECT count(*) FROM deployment_states") == [(0,)]


def test_nothing_is_recorded_while_another_run_deploys_the_country(orchestration: Book) -> None:
    access = orchestration.owner
    with held(access), pytest.raises(Locked, match="somebody@somewhere"):
        failed_update.record(access, run("run-2"), "FRA", BROKEN)
    assert orchestration.sql("SELECT count(*) FROM orchestration_errors") == [(0,)]


# Who changed what


def test_changes_are_audited_by_name_and_the_audit_cannot_be_changed(orchestration: Book) -> None:
    with held(orchestration.owner) as store:
        store.fail("FRA", Phase.SEEDING, "f1", "a value that stays out of the audit")
    found = orchestration.sql(
        "SELECT db_role, operation, row_key, columns FROM audit_log WHERE table_name = 'deployment_steps'"
    )
    assert [(row[0], row[1], row[2]) for row in found] == [("orchestration", "INSERT", "SEEDING")]
    assert "error_message" in str(found[0][3])
    assert "stays out" not in str(orchestration.sql("SELECT * FROM audit_log"))
    with connection.connect(orchestration.owner) as live, pytest.raises(psycopg.errors.InsufficientPrivilege):
        live.execute("DELETE FROM audit_log")


def test_what_a_partner_publishes_is_noted_until_it_is_no_partner(orchestration: Book) -> None:
    made = PublishedStatus(
        country="GBR",
        namespace="dive",
        issued=datetime.now(UTC) - timedelta(minutes=3),
        state="COMPLETE",
        phases={"SEEDING": PublishedPhase(status="COMPLETED", completed=datetime.now(UTC))},
        links={"FRA": None},
        probes={},
    )
    with Store(orchestration.owner) as store:
        store.note(made.model_copy(update={"state": "FAILED"}))
        store.note(made.model_copy(update={"issued": made.issued - timedelta(days=1)}))  # an older one, said again
        [noted] = store.query(lambda live: overview(live, "FRA")).members
        assert (noted.code, noted.state) == ("GBR", "FAILED")
        assert 170 < noted.age < 240
        store.unlink("FRA", ["GBR"])
        assert store.query(lambda live: overview(live, "FRA")).members
        store.unlink("FRA", ["USA"])
        assert not store.query(lambda live: overview(live, "FRA")).members
