"""Whose lock it is, and whether its owner is proven dead: from the very words of Pulumi's refusals."""

import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from dive_infra.automation.lock_owner import LockOwner, liveness, owners

REFUSAL = (
    "error: {what}the stack is currently locked by {n} lock(s). Either wait for the other process(es) to end or delete "
    "the lock file with `pulumi cancel`.\n{rows}"
)
FOLDER = "  file:///home/anne/state/.pulumi/locks/organization/dive/fra/0b7c.json?no_tmp_dir=true: created by "
BUCKET = "  s3://dive-state/.pulumi/locks/organization/dive/fra/99.json?region=eu-west-3: created by "
DATABASE = "  postgres://****:****@db.example.org:5432/pulumi/.pulumi/locks/organization/dive/fra/7.json: created by "


def refusal(*rows: str) -> str:
    return REFUSAL.format(what="could not create stack: ", n=len(rows), rows="\n".join(rows))


@pytest.mark.parametrize("place", [FOLDER, BUCKET, DATABASE])
def test_the_owner_is_read_from_the_refusal_of_every_backend(place: str) -> None:
    (owner,) = owners(refusal(f"{place}root@build-7 (pid 4242) at 2026-11-24T22:30:00Z"))
    assert owner == LockOwner(
        place.strip().removesuffix(": created by"),
        "root",
        "build-7",
        4242,
        datetime(2026, 11, 24, 22, 30, tzinfo=UTC),
    )
    assert str(owner) == "root (pid 4242 on build-7, since 2026-11-24 22:30:00 UTC)"


def test_every_owner_is_read_with_any_user_name() -> None:
    found = owners(
        refusal(
            f"{FOLDER}anne@example.org@vm (pid 1) at 2026-11-24T22:30:00+01:00",
            f"{FOLDER}EXAMPLE\\bob smith@vm (pid 2) at 2026-11-24T22:30:00Z",
        )
    )
    assert [(o.user, o.host, o.pid) for o in found] == [("anne@example.org", "vm", 1), ("EXAMPLE\\bob smith", "vm", 2)]
    assert found[0].since == datetime(2026, 11, 24, 21, 30, tzinfo=UTC)


def test_other_failures_name_no_owner() -> None:
    assert owners("error: stack 'organization/dive/fra' already exists") == []
    assert owners(refusal()) == []


def owner(pid: int, since: datetime, host: str = "") -> LockOwner:
    return LockOwner("file:///x", "root", host or socket.gethostname(), pid, since)


def test_a_process_that_is_gone_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    answer, why = liveness(owner(ended.pid, datetime.now(UTC)))
    assert (answer, why) == ("dead", f"no process with pid {ended.pid}")


def test_a_process_that_its_parent_has_not_reaped_is_dead() -> None:
    with subprocess.Popen(["sleep", "60"]) as killed:
        killed.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        assert liveness(owner(killed.pid, datetime.now(UTC))) == ("dead", f"pid {killed.pid} has ended")


def test_a_process_that_lives_is_not_dead() -> None:
    began = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    for since in (datetime.now(UTC), began.replace(microsecond=0)):  # Pulumi drops fractions
        assert liveness(owner(os.getpid(), since))[0] == "alive"


def test_a_process_that_started_after_the_lock_is_another_one() -> None:
    answer, why = liveness(owner(os.getpid(), datetime.now(UTC) - timedelta(days=1)))
    assert answer == "dead"
    assert "started after the lock was taken" in why


def test_a_process_on_another_host_is_unknown() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert liveness(owner(ended.pid, datetime.now(UTC), "elsewhere")) == ("unknown", "elsewhere is another host")
