"""A machine whose engine does not run: it is started, by hand where there is no systemd, and outlives the command."""

import os
import shutil
import subprocess
import sys

import pytest

# A machine within the machine: no engine's socket, no images, no network but loopback.
BARE = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/lib/docker
ip link set lo up
unset DOCKER_HOST
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.ensure(print))'
test -S /run/docker.sock
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.client().containers.list(all=True))'
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.ensure(print))'
"""

# The same machine, with an engine that gives its containers other user ids.
SHIFTED = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/lib/docker
printf '%s:100000:65536\\n' nobody nogroup > /run/ids
mount --bind /run/ids /etc/subuid
mount --bind /run/ids /etc/subgid
ip link set lo up
unset DOCKER_HOST
dockerd --userns-remap=nobody:nogroup --bridge=none --iptables=false 2> /run/log &
until test -S /run/docker.sock; do sleep 0.1; done
"$PYTHON" -c "$PROGRAM"
"""
FILES = """
import io
import tarfile

from docker.types import Mount

from dive_infra.checks import preflight
from dive_infra.engines.docker import engine, files

client, contents, empty = engine.client(), {"/etc/dive/token": "of the service"}, io.BytesIO()
tarfile.open(fileobj=empty, mode="w").close()
client.api.import_image_from_data(empty.getvalue(), repository="empty", tag="1")
files.write(client, "service-files", contents, 1000, "empty:1", {})
service = client.containers.create("empty:1", ["/none"], mounts=[Mount("/etc/dive", "service-files")])
print(files.id_shift(client))
print(files.difference(files.manifest(files.pack(contents, 1000)), files.read(service)))
print(files.difference(files.manifest(files.pack(contents, 1001)), files.read(service)))
print(preflight.disk(0).endswith("GiB free"))
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may start an engine"),
    pytest.mark.skipif(not shutil.which("dockerd"), reason="this machine's engine is elsewhere (no dockerd here)"),
]


def within(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the script on a machine of its own: what is started in it ends with it."""
    return subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", script],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_files_of_a_service_are_as_declared_on_an_engine_that_shifts_user_ids() -> None:
    done = within(SHIFTED, PROGRAM=FILES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["(100000, 100000)", "None", "dive changed, dive/token changed", "True"]


def test_an_engine_that_does_not_run_is_started_once() -> None:
    done = within(BARE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "starting dockerd; its log is /var/log/dockerd.log",
        "unix:///var/run/docker.sock",
        "[]",
        "unix:///var/run/docker.sock",
    ]
