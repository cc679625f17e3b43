"""The firewall rules that let containers' packets pass. Docker installs them when it starts, and never looks again.

Those of this machine's usual engine can be read here.

See moby#12294: after `iptables -F`, or a restart of another firewall, only a restart of Docker brings them back.
"""

import os
import shutil
import subprocess
from pathlib import Path

from dive_infra.config.timeouts import ENGINE_ANSWER
from dive_infra.engines.docker import endpoint, engine

_CHAIN = "FORWARD"
_JUMP = "-j DOCKER"  # to DOCKER, DOCKER-USER, DOCKER-FORWARD, …: their names depend on Docker's version
_PID = Path("/var/run/docker.pid")
_BY_HAND = f"pid=$(cat {_PID}); kill $pid; tail --pid=$pid -f /dev/null"  # returns when it has ended


def evidence() -> str:
    """Return the chain's policy and whether it leads to Docker's; empty for any other Docker, or without root."""
    if not endpoint.current().is_default or os.geteuid() != 0 or not shutil.which("iptables"):
        return ""
    listed = subprocess.run(["iptables", "-w", str(ENGINE_ANSWER), "-S", _CHAIN], capture_output=True, text=True)
    if listed.returncode:
        return f"iptables -S {_CHAIN}: {listed.stderr.strip()}"
    policy = listed.stdout.split()[2]  # -P FORWARD DROP
    jumps = "a" if _JUMP in listed.stdout else "no"
    return f"{_CHAIN} has policy {policy} and {jumps} jump to Docker's chains"


def restart_command() -> str:
    """Return the command that restarts Docker; one that was started by hand is ended, and `./dive up` starts it."""
    here, command = endpoint.current(), "systemctl restart docker"
    if not here.is_default:
        return f"on the machine of {here.address}: {command}"
    return _BY_HAND if _PID.exists() and not engine.SYSTEMD.is_dir() else command
