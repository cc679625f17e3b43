"""A copy of this checkout, to edit it or to run its commands on the coalition under test."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dive_infra.config.paths import ROOT

_LEFT_BEHIND = (".git", ".venv", ".dive", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


def copy(place: Path) -> Path:
    """The program with the environment of this checkout and the certificates of its coalitions, without a state."""
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_LEFT_BEHIND, "verification-report*"))
    (place / ".venv").symlink_to(ROOT / ".venv")
    (place / ".dive").mkdir()
    for certificate in (ROOT / ".dive").glob("*.pem"):
        shutil.copy(certificate, place / ".dive")
    return place


def dive(
    place: Path, *arguments: str, environment: Mapping[str, str], alone: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs `./dive` there; `alone`: where nothing on this machine's ports can be reached, nor anything beyond."""
    own = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "alone"] if alone else []
    command = [*own, str(place / "dive"), *arguments]
    given = {**environment, "COLUMNS": "200"}
    return subprocess.run(command, cwd=place, env=given, capture_output=True, text=True, timeout=600)


def without_state() -> dict[str, str]:
    """The variables of this process without a state, a passphrase or an engine: a fork's."""
    names = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "DOCKER_HOST")
    return {k: v for k, v in os.environ.items() if k not in names} | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def contents(place: Path) -> dict[str, bytes]:
    """Every file there by its path, but what Python and this test keep beside the program."""
    files = (p for p in place.rglob("*") if p.is_file() and not {".venv", "__pycache__"} & {*p.parts})
    return {str(p.relative_to(place)): p.read_bytes() for p in files}
