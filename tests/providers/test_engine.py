"""A machine whose engine does not run: it is started, by hand where systemd is missing, and outlives the command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# A machine within the machine: no engine's socket, no images, no network but loopback.
BARE = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/lib/docker
ip link set lo up
unset DOCKER_HOST
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.ensure(print).address)'
test -S /run/docker.sock
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.client().containers.list(all=True))'
"$PYTHON" -c 'from dive_infra.engines.docker import engine; print(engine.ensure(print).address)'
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
print(sorted(files.difference(files.manifest(files.pack(contents, 1000)), files.read(service))))
print(sorted(files.difference(files.manifest(files.pack(contents, 1001)), files.read(service))))
print(preflight.disk(0).endswith("GiB free"))
"""

# The same machine, with an engine whose firewall rules someone flushes. Containers run this machine's own programs.
FLUSHED = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/lib/docker
ip link set lo up
unset DOCKER_HOST
start() {
    dockerd 2> /run/log &
    until test -S /run/docker.sock && docker version > /run/version 2>&1; do sleep 0.1; done
}
end() {
    pid=$(cat /run/docker.pid)
    kill $pid
    tail --pid=$pid -s 0.1 -f /dev/null
}
start
trap 'docker rm -f $(docker ps -aq) > /run/removed' EXIT  # their control groups are of the outer machine
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
"$PYTHON" -c "$PROGRAM" create check
iptables -F
iptables -P FORWARD DROP
"$PYTHON" -c "$PROGRAM" check
end
start
"$PYTHON" -c "$PROGRAM" check
"""
REACHED = """
import io
import os
import sys
import tarfile

from docker.types import Mount

from dive_infra.catalog.spec import HealthCheck
from dive_infra.checks import connectivity, runner
from dive_infra.checks.spec import ContainerSpec, DeploymentSpec
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.engines.declaration import Declared
from dive_infra.engines.docker import engine

names, services = Names(COUNTRIES["FRA"], "flushed"), ("backend", "redis", "opa")
python = HealthCheck((os.path.realpath(sys.executable),))


def create():
    client, root = engine.client(), io.BytesIO()
    with tarfile.open(fileobj=root, mode="w") as tar:
        for folder in ("bin", "lib", "lib64"):
            link = tarfile.TarInfo(folder)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{folder}"
            tar.addfile(link)
    client.api.import_image_from_data(root.getvalue(), repository="links", tag="1")
    client.networks.create(names.network)
    mounts = [Mount(path, path, "bind", read_only=True) for path in {"/usr", sys.base_prefix}]
    for service in services:
        container = client.containers.create(
            "links:1",
            ["/usr/bin/sleep", "infinity"],
            name=names.container(service),
            mounts=mounts,
            network=names.network,
            stop_signal="SIGKILL",
            restart_policy={"Name": "always"},
        )
        network = client.networks.get(names.network)
        network.disconnect(container)
        network.connect(container, aliases=[names.host(service)])
        container.start()


def check():
    containers = [
        Declared(
            names.container(s), "0:0", python, ports=(names.port(s),), networks={names.network: (names.host(s),)}
        )
        for s in services
    ]
    spec = DeploymentSpec(names, tuple(ContainerSpec("x", "core", c, "") for c in containers), (), "", "", "")
    for finding in runner.run([connectivity.check(spec)], 20).findings:
        print(finding.verdict, finding.found, sep=": ")


for step in sys.argv[1:]:
    {"create": create, "check": check}[step]()
"""
BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")

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
    assert done.stdout.splitlines() == ["(100000, 100000)", "[]", "['dive', 'dive/token']", "True"]


@pytest.mark.skipif(not BRIDGE_FILTER.exists(), reason="the kernel does not filter between ports of a bridge")
@pytest.mark.skipif(not shutil.which("iptables"), reason="Docker needs iptables")
def test_a_flushed_firewall_is_named_and_a_restart_of_the_engine_restores_it() -> None:
    done = within(FLUSHED, PROGRAM=REACHED)
    assert done.returncode == 0, done.stdout + done.stderr
    well, flushed, restored = done.stdout.splitlines()
    assert well == "valid: flushed-fra-backend reaches 2 of 2 services"
    assert flushed == (
        "invalid: no packet passes between its containers: 2 of 2 services that run cannot be reached from "
        "flushed-fra-backend; FORWARD has policy DROP and no jump to Docker's chains"
    )
    assert restored == well


def test_an_engine_that_does_not_run_is_started_once() -> None:
    done = within(BARE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "starting dockerd; its log is /var/log/dockerd.log",
        "unix:///var/run/docker.sock",
        "[]",
        "unix:///var/run/docker.sock",
    ]
