"""A stack as its state tells it, Pulumi's lock, what the archive hides, and the runs of a country: on plain data."""

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from dive_infra.automation import state_export as exports
from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.stack_state import plaintext, read_stack
from dive_infra.checks.spec import ConfigurationSpec, PreflightSpec, dump
from dive_infra.cli import start
from dive_infra.config import paths
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.diagnosis.history import RunHistory, markdown, runs
from dive_infra.diagnosis.support_bundle import HIDDEN, Redactor, secrets
from dive_infra.orchestration.events import Event
from dive_infra.orchestration.states import Phase
from dive_infra.toolchain import toolchain

FRA = Names(parse("FRA"))
SECRET = "Sehr-geheim-0815"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def checkpoint(phase: Phase, spec: str, store: dict[str, Any] | None = None) -> dict[str, Any]:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(spec)}
    given = {"store": {"plaintext": json.dumps(store)}} if store else {}
    outputs = {"phase": phase, "completed": NOON.isoformat(), "evidence": "all", "spec": hidden, **given}
    return {
        "urn": f"urn:pulumi:fra::dive::pulumi-python:dynamic/dive:Checkpoint::{phase.lower()}-checkpoint",
        "type": "pulumi-python:dynamic/dive:Checkpoint",
        "inputs": given,
        "outputs": outputs,
    }


def exported(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = {"time": "2026-11-24T12:00:00.123456789Z", "version": "v3.250.0"}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": list(resources), **more}}


LOGIN = {
    "host": "postgres.usa.dive.localhost", "port": 5432.0, "user": "orchestration_fra", "password": SECRET, "ca": "CA",
    "database": "orchestration", "address": "127.0.0.1",
}  # fmt: skip


def test_a_stack_tells_what_its_phases_declared() -> None:
    spec = PreflightSpec(FRA, "fra-1", ("opa",))
    stack = read_stack("fra", exported(checkpoint(Phase.PREFLIGHT, dump(spec), LOGIN)))
    assert stack.spec(Phase.PREFLIGHT) == spec
    assert stack.spec(Phase.SEEDING) is None
    assert stack.names == FRA
    assert stack.store
    assert (stack.store.user, stack.store.port, stack.store.password) == ("orchestration_fra", 5432, SECRET)
    assert stack.updated == datetime(2026, 11, 24, 12, 0, 0, 123456, UTC)
    assert SECRET not in repr(stack)


def test_a_declaration_of_another_program_is_told_apart_from_none() -> None:
    stack = read_stack("fra", exported(checkpoint(Phase.CONFIGURATION, '{"realm": "x"}')))
    assert stack.specs == {}
    assert "was written by another version" in stack.checkpoints[Phase.CONFIGURATION].unreadable


def test_an_empty_stack_and_pending_operations_are_seen() -> None:
    assert read_stack("fra", {"version": 3, "deployment": None}).resources == 0
    pending = [{"type": "creating", "resource": {"urn": "urn:pulumi:fra::dive::docker:index/container:Container::opa"}}]
    assert read_stack("fra", exported(pending_operations=pending)).pending == ("creating opa",)


def locked(folder: Path, pid: int, host: str) -> dict[str, str]:
    place = folder / ".pulumi" / "locks" / "organization" / "dive" / "fra"
    place.mkdir(parents=True)
    text = {"pid": pid, "username": "ada", "hostname": host, "timestamp": datetime.now(UTC).isoformat()}
    (place / "1b.json").write_text(json.dumps(text))
    return {"PULUMI_BACKEND_URL": folder.as_uri()}


@pytest.mark.parametrize(
    ("pid", "host", "live"),
    [(os.getpid(), socket.gethostname(), True), (2**22 - 3, socket.gethostname(), False), (1, "elsewhere", None)],
)
def test_pulumis_lock_tells_whether_its_holder_lives(tmp_path: Path, pid: int, host: str, live: bool | None) -> None:
    assert live is not False or not psutil.pid_exists(pid)
    (update,) = backend_locks("fra", locked(tmp_path, pid, host))
    assert update.live is live
    assert f"ada@{host} (pid {pid}" in str(update)


def test_a_process_that_was_given_the_number_of_a_dead_one_is_not_the_holder(tmp_path: Path) -> None:
    environment = locked(tmp_path, os.getpid(), socket.gethostname())
    (path,) = tmp_path.rglob("1b.json")
    held = json.loads(path.read_text()) | {"timestamp": "2001-01-01T00:00:00Z"}
    path.write_text(json.dumps(held))
    assert [u.live for u in backend_locks("fra", environment)] == [False]


def test_a_state_elsewhere_has_no_lock_to_look_at() -> None:
    assert backend_locks("fra", {"PULUMI_BACKEND_URL": "s3://bucket"}) == []


def test_the_archive_hides_what_a_state_holds_as_a_secret() -> None:
    spec = dump(ConfigurationSpec(FRA, (), "CA", keycloak=SECRET, portal=SECRET, accounts={}))
    known = secrets(exported(checkpoint(Phase.CONFIGURATION, spec, LOGIN)))
    assert SECRET in known
    redact = Redactor(known)
    assert redact(f"login {SECRET}!") == f"login {HIDDEN}!"
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
    assert "hkiG9w0BAQEFAASC" not in Redactor([key])("a line of it: hkiG9w0BAQEFAASC"), "line by line too"
    assert "hkiG9w0BAQEFAASC" not in Redactor([key])(json.dumps({"key": key})), "and as it stands in JSON"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijklmnop",
        "postgres://portal:hunter2hunter2@host/portal",
        "password=hunter2hunter2 host=x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_the_archive_hides_what_looks_like_a_secret(text: str) -> None:
    shown = Redactor([])(text)
    assert HIDDEN in shown
    for part in ("abcdefghijklmnop", "hunter2", "eyJ", "MIIEvQ"):
        assert part not in shown


# The runs of a country.


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def proven(phase: Phase, seconds: float, run: str, why: str = "for the first time") -> Event:
    return Event("checkpoint", at(seconds), run, "ada@host", phase, why)


FIRST = [proven(phase, 10.0 * (place + 1), "r1") for place, phase in enumerate(Phase)]


def test_a_run_that_changed_nothing_is_known_by_pulumis_own_history() -> None:
    known = [
        RunHistory("update", "succeeded", at(0), at(60), {"create": 163}),
        RunHistory("update", "succeeded", at(100), at(112), {"same": 163}),
    ]
    second, first = runs("FRA", known, FIRST).runs
    assert [p.outcome for p in first.phases] == ["ran"] * 6
    assert [p.seconds for p in first.phases] == [10.0] * 6
    assert first.saved is None
    assert [p.outcome for p in second.phases] == ["skipped"] * 6
    assert (second.seconds, second.saved) == (12.0, 48.0)


def test_a_phase_that_ran_again_says_why() -> None:
    known = [
        RunHistory("update", "succeeded", at(0), at(60)),
        RunHistory("update", "succeeded", at(100), at(130)),
    ]
    again = [proven(Phase.SEEDING, 115, "r2", "not valid: batch resources"), proven(Phase.VERIFICATION, 129, "r2")]
    run = runs("FRA", known, [*FIRST, *again]).runs[0]
    assert [p.outcome for p in run.phases] == ["skipped"] * 4 + ["ran"] * 2
    assert run.phases[4].why == "not valid: batch resources"
    assert run.phases[5].seconds == 14.0
    assert "| SEEDING | ran | 15 | not valid: batch resources |" in markdown(runs("FRA", known, [*FIRST, *again]))


def test_a_run_that_was_killed_is_known_by_the_record_alone() -> None:
    report = runs("FRA", [], FIRST[:2])
    (run,) = report.runs
    assert (run.result, run.runs) == ("interrupted", ["r1"])
    assert [p.outcome for p in run.phases] == ["ran"] * 2 + ["not reached"] * 4


def test_a_run_that_failed_names_the_phase_and_the_error() -> None:
    error = Event("error", at(40), "r1", "", Phase.DEPLOYMENT, "2 containers are not healthy\nmore")
    (run,) = runs("FRA", [RunHistory("update", "failed", at(0), at(41))], [*FIRST[:2], error]).runs
    assert [p.outcome for p in run.phases] == ["ran", "ran", "failed"] + ["not reached"] * 3
    assert run.error == "2 containers are not healthy"


def test_without_the_record_nothing_is_said_of_single_phases() -> None:
    report = runs("FRA", [RunHistory("update", "succeeded", at(0), at(60))], None)
    assert not report.recorded
    assert report.runs[0].phases == []


# The early start.


@pytest.mark.parametrize(
    ("arguments", "begun"),
    [
        (["status", "FRA", "--json"], ["fra"]),
        (["doctor"], ["fra", "usa"]),
        (["status", "--help"], []),
        (["up", "FRA"], []),
        ([], []),
    ],
)
def test_only_verbs_that_look_begin_exports_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], begun: list[str]
) -> None:
    for name in ("usa", "fra"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    asked: list[str] = []
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    monkeypatch.setattr(toolchain, "find", lambda *_: toolchain.Toolchain(Path("pulumi"), [], "installed"))
    monkeypatch.setattr(exports, "prefetch", lambda stack, _: asked.append(stack))
    start.prefetch(arguments)
    assert asked == begun


def test_a_secret_of_a_state_is_opened_at_any_depth() -> None:
    inner = {"plaintext": json.dumps({"b": {"plaintext": json.dumps(SECRET)}, "c": 1})}
    assert plaintext({"a": [inner, "open"]}) == {"a": [{"b": SECRET, "c": 1}, "open"]}
    assert plaintext("open") == "open"
