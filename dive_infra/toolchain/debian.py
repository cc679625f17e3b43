"""Install Debian packages, if that is ours to do: as root, on Debian."""

import os
import shutil
import subprocess
from collections.abc import Callable

from dive_infra.results.errors import DiveError

Progress = Callable[[str], None]


class PackageError(DiveError):
    """A package could not be installed; the message holds the last lines of apt's output, or what to do."""


def possible() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: tuple[str, ...], progress: Progress) -> None:
    """Install `packages` without their recommendations. Raises `PackageError`."""
    if not possible():
        raise PackageError(
            f"{', '.join(packages)}: not installed, and only root on Debian can do it from here; install it"
        )
    progress(f"installing {', '.join(packages)} from Debian's packages")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", *packages]):
        run(command, environment)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command; raises `PackageError` with the end of its output."""
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        end = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise PackageError(f"`{' '.join(command)}` ended with code {done.returncode}:\n{end}")
