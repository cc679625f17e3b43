"""What an exported state says: declarations, pending operations, secrets."""

import json
from datetime import UTC, datetime

from dive_infra.automation.stack_state import plaintext, read_stack
from dive_infra.checks.spec import PreflightSpec, dump
from dive_infra.orchestration.states import Phase
from tests.unit.exported_states import FRA, LOGIN, SECRET, checkpoint, exported


def test_a_stack_shows_what_its_phases_declared() -> None:
    spec = PreflightSpec(FRA, "fra-1", ("opa",))
    stack = read_stack("fra", exported(checkpoint(Phase.PREFLIGHT, dump(spec), LOGIN)))
    assert stack.spec(Phase.PREFLIGHT) == spec
    assert stack.spec(Phase.SEEDING) is None
    assert stack.names == FRA
    assert stack.store
    assert (stack.store.user, stack.store.port, stack.store.password) == ("orchestration", 5432, SECRET)
    assert stack.updated == datetime(2026, 11, 24, 12, 0, 0, 123456, UTC)
    assert SECRET not in repr(stack)


def test_a_declaration_of_another_program_is_distinguished_from_none() -> None:
    stack = read_stack("fra", exported(checkpoint(Phase.CONFIGURATION, '{"realm": "x"}')))
    assert stack.specs == {}
    assert "was written by another version" in stack.checkpoints[Phase.CONFIGURATION].unreadable


def test_the_outputs_of_a_stack_are_shown_without_secrets() -> None:
    outputs = {"urls": {"opa": "https://opa"}, "password": {"plaintext": json.dumps(SECRET)}}
    stack = read_stack("fra", exported({"urn": "urn:1", "type": "pulumi:pulumi:Stack", "outputs": outputs}))
    assert stack.outputs == {"urls": {"opa": "https://opa"}}


def test_an_empty_stack_and_pending_operations_are_seen() -> None:
    assert read_stack("fra", {"version": 3, "deployment": None}).resources == 0
    pending = [{"type": "creating", "resource": {"urn": "urn:pulumi:fra::dive::docker:index/container:Container::opa"}}]
    assert read_stack("fra", exported(pending_operations=pending)).pending == ("creating opa",)


def test_a_secret_of_a_state_is_opened_at_any_depth() -> None:
    inner = {"plaintext": json.dumps({"b": {"plaintext": json.dumps(SECRET)}, "c": 1})}
    assert plaintext({"a": [inner, "open"]}) == {"a": [{"b": SECRET, "c": 1}, "open"]}
    assert plaintext("open") == "open"
