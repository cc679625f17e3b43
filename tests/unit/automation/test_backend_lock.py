"""Who holds Pulumi's lock, and whether that process lives."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from dive_infra.automation.backend_lock import backend_locks


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
