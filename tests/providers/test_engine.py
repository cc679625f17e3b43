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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start an engine")
@pytest.mark.skipif(not shutil.which("dockerd"), reason="this machine's engine is elsewhere (no dockerd here)")
def test_an_engine_that_does_not_run_is_started_once() -> None:
    done = subprocess.run(
        # a process namespace of its own: what was started in it ends with it
        ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", BARE],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "starting dockerd; its log is /var/log/dockerd.log",
        "unix:///var/run/docker.sock",
        "[]",
        "unix:///var/run/docker.sock",
    ]
