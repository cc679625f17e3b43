"""What is read of a firewall, and the command that restores Docker's rules."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dive_infra.engines.docker import endpoint, engine, firewall

FLUSHED = "-P FORWARD DROP\n"
RULES = f"{FLUSHED}-A FORWARD -j DOCKER-USER\n-A FORWARD -o docker0 -j DOCKER\n"


@pytest.fixture(autouse=True)
def root_with_iptables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", endpoint.SOCKET)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")


def answers(monkeypatch: pytest.MonkeyPatch, code: int, out: str, error: str = "") -> None:
    done = subprocess.CompletedProcess([], code, out, error)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


@pytest.mark.parametrize(
    ("code", "out", "error", "found"),
    [
        (0, FLUSHED, "", "FORWARD has policy DROP and no jump to Docker's chains"),
        (0, RULES, "", "FORWARD has policy DROP and a jump to Docker's chains"),
        (4, "", "Could not fetch rule set\n", "iptables -S FORWARD: Could not fetch rule set"),
    ],
)
def test_the_chain_is_read_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch, code: int, out: str, error: str, found: str
) -> None:
    answers(monkeypatch, code, out, error)
    assert firewall.evidence() == found


def test_it_is_not_read_elsewhere_or_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, 0, FLUSHED)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert firewall.evidence() == ""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for other in ("tcp://engine.example:2376", "ssh://engine.example", "unix:///run/user/1000/docker.sock"):
        monkeypatch.setenv("DOCKER_HOST", other)
        assert firewall.evidence() == ""


def test_the_command_restarts_docker_as_it_was_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    systemd, pid = tmp_path / "systemd", tmp_path / "docker.pid"
    monkeypatch.setattr(engine, "SYSTEMD", systemd)
    monkeypatch.setattr(firewall, "_PID", pid)
    assert firewall.restart_command() == "systemctl restart docker"
    pid.touch()
    assert firewall.restart_command() == "pid=$(cat /var/run/docker.pid); kill $pid; tail --pid=$pid -f /dev/null"
    systemd.mkdir()
    assert firewall.restart_command() == "systemctl restart docker"
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2376")
    assert firewall.restart_command() == "on the machine of tcp://engine.example:2376: systemctl restart docker"
