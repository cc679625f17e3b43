"""The files of a service and those of them that change while it runs; on an engine: test_container_resources.py."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from dive_infra import engines
from dive_infra.dynamic.files import LIVE, FilesProvider, LiveFilesProvider
from tests.unit.checks.specs import OPA

KEY, LINKS = "/etc/dive/tls.key", "/etc/dive/links.json"
FILES = {"volume": "v", "owner": 999.0, "contents": {KEY: "key", LINKS: LIVE}, "declared": OPA.plain()}
LIVE_FILES = {**FILES, "contents": {KEY: "key", LINKS: "{}"}, "live": [LINKS], "generation": 0.0}


class Machine:
    """An engine with one volume, whose files a running container mounts."""

    def __init__(self) -> None:
        self.held: dict[str, str] | None = {}
        self.removed = 0

    def volume_labels(self, _volume: str) -> dict[str, str] | None:
        return None if self.held is None else {}

    def write_files(
        self, _v: str, contents: Mapping[str, str], _o: int, _d: Mapping[str, Any], only: Collection[str] = ()
    ) -> str:
        self.held = {**(self.held or {}), **{path: contents[path] for path in only or contents}}
        return f"hash over {len(contents)}"

    def files_drift(self, _n: str, _v: str, contents: Mapping[str, str], _o: int) -> dict[str, str]:
        held = self.held or {}
        off = sorted(p for p in held.keys() | contents.keys() if held.get(p) != contents.get(p))
        words = {(True, False): "missing", (False, True): "added", (True, True): "changed"}
        return {p.removeprefix("/etc/"): words[p in contents, p in held] for p in off}

    def remove_container(self, _declared: object) -> None:
        self.removed += 1

    def remove(self, _kind: str, _name: str) -> None:
        self.held = None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(engines, "connect", lambda: made)
    return made


def deployed() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the outputs of both resources."""
    return (
        {**FILES, **FilesProvider().create_resource(FILES)[1]},
        {**LIVE_FILES, **LiveFilesProvider().create_resource(LIVE_FILES)[1]},
    )


def test_both_together_write_every_file_and_the_hash_is_over_all(machine: Machine) -> None:
    files, live = deployed()
    assert machine.held == {KEY: "key", LINKS: "{}"}
    assert (files["digest"], live["digest"]) == ("hash over 1", "hash over 2")
    assert FilesProvider().drift_reason(files) is None
    assert LiveFilesProvider().drift_reason(live) is None


def test_another_live_text_is_written_in_place_and_is_no_change_of_the_other_files(machine: Machine) -> None:
    files, live = deployed()
    wanted = {**LIVE_FILES, "contents": {KEY: "key", LINKS: "{1}"}}
    found = LiveFilesProvider().diff("v", live, wanted)
    assert (found.changes, found.replaces) == (True, [])
    LiveFilesProvider().update_resource(wanted, live)
    assert machine.held == {KEY: "key", LINKS: "{1}"}
    assert FilesProvider().drift_reason(files) is None
    assert machine.removed == 0


def test_a_live_file_that_was_altered_is_healed_in_place(machine: Machine) -> None:
    files, live = deployed()
    machine.held = {KEY: "key", LINKS: "forged"}
    assert FilesProvider().drift_reason(files) is None
    assert LiveFilesProvider().drift_reason(live) == "dive/links.json changed"
    LiveFilesProvider().update_resource(LIVE_FILES, live)
    assert machine.held == {KEY: "key", LINKS: "{}"}
    assert machine.removed == 0


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({KEY: "forged", LINKS: "{}"}, "dive/tls.key changed"),
        ({KEY: "key", LINKS: "{}", "/etc/dive/more": ""}, "dive/more added"),
        ({LINKS: "{}"}, "dive/tls.key missing"),
        (None, "its volume is gone"),
    ],
)
def test_any_other_file_that_was_altered_replaces_the_container_and_the_live_ones_are_written_again(
    machine: Machine, held: dict[str, str] | None, told: str
) -> None:
    files, live = deployed()
    machine.held = held
    assert FilesProvider().drift_reason(files) == told
    healed = FilesProvider().update_resource(FILES, files)
    assert (machine.removed, healed["generation"]) == (1, 1)
    wanted = {**LIVE_FILES, "generation": healed["generation"]}
    assert LiveFilesProvider().diff("v", live, wanted).changes
    LiveFilesProvider().update_resource(wanted, live)
    assert machine.held == {KEY: "key", LINKS: "{}"}
