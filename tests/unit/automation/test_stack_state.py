"""What an exported state says: declarations, pending operations, secrets."""

import json
from datetime import UTC, datetime
from typing import Any

from dive_infra.automation.stack_state import plaintext, read_stack
from dive_infra.checks.spec import PreflightSpec, dump
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.orchestration.states import Phase

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


def test_a_secret_of_a_state_is_opened_at_any_depth() -> None:
    inner = {"plaintext": json.dumps({"b": {"plaintext": json.dumps(SECRET)}, "c": 1})}
    assert plaintext({"a": [inner, "open"]}) == {"a": [{"b": SECRET, "c": 1}, "open"]}
    assert plaintext("open") == "open"
