"""The keys of a country in its stack file: a successor beside each, and later the successor alone."""

from pathlib import Path
from typing import Any

import pytest

from dive_infra.automation import enrolment, key_rotation
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.config.credentials import enrolled
from dive_infra.crypto import pki
from dive_infra.membership import files, keys, request
from dive_infra.membership.enrolment import private_keys
from dive_infra.membership.key_rotation import newest
from tests.support.plain_stack import Plain, write


def filed(folder: Path, code: str = "FRA") -> bytes:
    return files.request_file(code, folder).read_bytes()


def held(stack: Plain) -> dict[str, list[str]]:
    return {name: pki.private_keys(text) for name, text in private_keys(stack.settings).items()}


@pytest.mark.parametrize("code", ["fra", "usa"])
def test_each_key_gets_a_successor_which_the_request_asks_for(tmp_path: Path, code: str) -> None:
    stack, wanted = write(tmp_path, code), [c.name for c in enrolled(code == "usa")]
    first = enrolment.enrol(stack, tmp_path).request
    before = private_keys(stack.settings)
    begun = key_rotation.add_successors(stack, tmp_path)
    assert begun.made == (f"members/{code}.json",)
    assert {name: found[0] for name, found in held(stack).items()} == before
    assert [name for name, found in held(stack).items() if len(found) == 2] == sorted(wanted)
    new = newest(private_keys(stack.settings))
    assert begun.request.deployer_key == keys.public_text(new["deployer-key"])
    assert begun.request == request.read(filed(tmp_path, code.upper()), f"{code}.json")
    assert request.fingerprint(begun.request) != request.fingerprint(first)
    assert request.is_signed_by(filed(tmp_path, code.upper()), first.deployer_key), "so the hub need not compare again"


def test_at_the_end_the_successors_are_the_keys_and_the_request_stays(tmp_path: Path) -> None:
    stack = write(tmp_path, "fra")
    enrolment.enrol(stack, tmp_path)
    key_rotation.add_successors(stack, tmp_path)
    both, asked = private_keys(stack.settings), filed(tmp_path)
    key_rotation.drop_predecessors(stack)
    assert private_keys(stack.settings) == newest(both)
    assert enrolment.enrol(stack, tmp_path).made == ()
    assert filed(tmp_path) == asked


def test_a_second_run_of_a_step_changes_nothing(tmp_path: Path) -> None:
    stack = write(tmp_path, "fra")
    enrolment.enrol(stack, tmp_path)
    key_rotation.add_successors(stack, tmp_path)
    both, asked = private_keys(stack.settings), filed(tmp_path)
    assert key_rotation.add_successors(stack, tmp_path).made == ()
    assert (private_keys(stack.settings), filed(tmp_path)) == (both, asked)
    key_rotation.drop_predecessors(stack)
    key_rotation.drop_predecessors(stack)
    assert private_keys(stack.settings) == newest(both)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("renewed", [False, True], ids=["", "and the request was renewed"])
def test_a_step_that_was_killed_between_two_keys_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, renewed: bool
) -> None:
    stack = write(tmp_path, "fra")
    enrolment.enrol(stack, tmp_path)
    before = private_keys(stack.settings)
    _fail_after(monkeypatch, after)
    with pytest.raises(PulumiFailed):
        key_rotation.add_successors(stack, tmp_path)
    monkeypatch.undo()
    if renewed:
        enrolment.enrol(stack, tmp_path)
    key_rotation.add_successors(stack, tmp_path)
    both = held(stack)
    assert {name: found[0] for name, found in both.items()} == before
    assert {len(found) for found in both.values()} == {2}
    _fail_after(monkeypatch, after)
    with pytest.raises(PulumiFailed):
        key_rotation.drop_predecessors(stack)
    monkeypatch.undo()
    key_rotation.drop_predecessors(stack)
    assert private_keys(stack.settings) == {name: found[1] for name, found in both.items()}
    assert enrolment.enrol(stack, tmp_path).made == ()


def _fail_after(patch: pytest.MonkeyPatch, times: int) -> None:
    """Let the command end after so many keys were stored."""
    store, stored = key_rotation.set_secret, list[str]()

    def failing(runner: Plain, name: str, value: str) -> None:
        if len(stored) == times:
            raise PulumiFailed("killed")
        stored.append(name)
        store(runner, name, value)

    patch.setattr(key_rotation, "set_secret", failing)


def test_a_country_without_keys_gets_them_once(tmp_path: Path) -> None:
    stack = write(tmp_path, "fra")
    key_rotation.add_successors(stack, tmp_path)
    assert {len(found) for found in held(stack).values()} == {1}


@pytest.mark.parametrize("own", [True, False], ids=["the key before", "a key of another hub"])
def test_where_the_hubs_stack_file_lies_the_new_coalition_key_is_pinned(tmp_path: Path, own: bool) -> None:
    usa, fra = write(tmp_path, "usa", spokes=["FRA"]), write(tmp_path, "fra")
    enrolment.enrol(usa, tmp_path)
    enrolment.enrol(fra, tmp_path)
    if not own:
        fra.ask("config", "set", "dive:coalitionKey", keys.public_text(keys.new_signing_key()))
    pinned: Any = fra.settings.coalition_key
    key_rotation.add_successors(usa, tmp_path)
    made = enrolment.enrol(fra, tmp_path).made
    new = keys.public_text(newest(private_keys(usa.settings))["coalition-key"])
    assert (fra.settings.coalition_key, made) == ((new, ("coalitionKey",)) if own else (pinned, ()))
    assert enrolment.enrol(fra, tmp_path).made == ()
