"""Who holds Pulumi's lock, and whether that process lives."""

import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dive_infra.automation.backend_lock import backend_locks
from tests.unit.config.test_json_file import JSON


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
def test_pulumis_lock_shows_whether_its_holder_lives(tmp_path: Path, pid: int, host: str, live: bool | None) -> None:
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


def ownerless(folder: Path, content: bytes, age: float) -> dict[str, str]:
    environment = locked(folder, 1, "x") if not [*folder.rglob("1b.json")] else {"PULUMI_BACKEND_URL": folder.as_uri()}
    (path,) = folder.rglob("1b.json")
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return environment


@pytest.mark.parametrize("content", [b"", b'{"pid": 4', b"[]", b"\xff"])
@pytest.mark.parametrize(("age", "live"), [(3600, False), (0, None)])
def test_a_lock_that_a_power_failure_cut_off_has_no_owner_and_is_dead_once_it_is_old(
    tmp_path: Path, content: bytes, age: float, live: bool | None
) -> None:
    (lock,) = backend_locks("fra", ownerless(tmp_path, content, age))
    assert lock.live is live
    assert "an unknown process (1b.json " in str(lock)


def test_a_lock_in_another_form_is_never_taken_for_dead(tmp_path: Path) -> None:
    (lock,) = backend_locks("fra", ownerless(tmp_path, b'{"process": 4711}', 3600))
    assert lock.live is None


FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("pid", "username", "hostname", "timestamp"), JSON))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode()))
@example(
    json.dumps({"pid": 2**70, "username": "a", "hostname": socket.gethostname(), "timestamp": "2026-01-01"}).encode()
)
@example(json.dumps({"pid": -1, "username": "a", "hostname": socket.gethostname(), "timestamp": "0001-01-01"}).encode())
def test_a_lock_with_any_content_is_a_lock(tmp_path: Path, content: bytes) -> None:
    (lock,) = backend_locks("fra", ownerless(tmp_path, content, 3600))
    assert str(lock)
