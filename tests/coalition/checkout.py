"""Copies of this checkout: to edit them, or to run their commands on the coalition under test."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dive_infra.config.paths import ROOT

_LEFT_BEHIND = (".git", ".venv", ".dive", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


def copy(place: Path) -> Path:
    """Copy the program, with this checkout's environment and certificates, without a state."""
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_LEFT_BEHIND, "verification-report*"))
    (place / ".venv").symlink_to(ROOT / ".venv")
    (place / ".dive").mkdir()
    for certificate in (ROOT / ".dive").glob("*.pem"):
        shutil.copy(certificate, place / ".dive")
    return place


def dive(
    place: Path, *arguments: str, environment: Mapping[str, str], alone: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `./dive` there; `alone`: in a network namespace from which nothing can be reached."""
    own = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "alone"] if alone else []
    command = [*own, str(place / "dive"), *arguments]
    given = {**environment, "COLUMNS": "200"}
    return subprocess.run(command, cwd=place, env=given, capture_output=True, text=True, timeout=1200)


def without_state() -> dict[str, str]:
    """Return the variables of this process without state, passphrase and engine: those of a fork."""
    names = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "DOCKER_HOST")
    return {k: v for k, v in os.environ.items() if k not in names} | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def contents(place: Path) -> dict[str, bytes]:
    """Return every file there by its path, without caches and `.venv`."""
    files = (p for p in place.rglob("*") if p.is_file() and not {".venv", "__pycache__"} & {*p.parts})
    return {str(p.relative_to(place)): p.read_bytes() for p in files}
