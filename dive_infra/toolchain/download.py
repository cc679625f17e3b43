"""The official release of Pulumi, checked against the checksums published with it."""

import platform
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path

import httpx

from dive_infra.results.errors import DiveError
from dive_infra.toolchain.go_build import Progress, ToolchainError, building

ARCHIVES = "https://get.pulumi.com/releases/sdk"
CHECKSUMS = "https://github.com/pulumi/pulumi/releases/download"
TIMEOUT = httpx.Timeout(60, connect=4)  # seconds; a site without internet access must not wait
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class UnavailableError(DiveError):
    """The release is unavailable from here; the message says why."""


def directory(version: str, cache: Path) -> Path:
    """Return the folder of a downloaded release's programs, which may not exist yet."""
    return cache / "toolchain" / f"release-{version}" / "bin"


def ensure(version: str, cache: Path, progress: Progress, archives: str = ARCHIVES, checksums: str = CHECKSUMS) -> Path:
    """Return the folder with the programs of the release, downloaded if missing.

    Raises `UnavailableError` if a server is unreachable or has no such release, `ToolchainError` if the archive is not
    the published one.
    """
    target = directory(version, cache)
    if target.is_dir():
        return target
    name = f"pulumi-v{version}-{platform.system().lower()}-{_ARCHITECTURES.get(platform.machine().lower(), 'unknown')}"
    with building(target.parent, progress) as work, httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        if work:
            _fetch(client, f"{archives}/{name}.tar.gz", f"{checksums}/v{version}/pulumi-{version}-checksums.txt", work)
    return target


def _fetch(client: httpx.Client, archive: str, checksums: str, work: Path) -> None:
    try:
        expected = _published(client.get(checksums).raise_for_status().text, archive)
        digest = sha256()
        with tempfile.TemporaryFile() as file, client.stream("GET", archive) as response:
            for chunk in response.raise_for_status().iter_bytes():
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != expected:
                raise ToolchainError(
                    f"{archive}: sha256 {digest.hexdigest()}, but {checksums} says {expected}; "
                    "something between here and there alters downloads: install pulumi by hand"
                )
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:gz") as tar:
                tar.extractall(work, filter="data")
    except httpx.HTTPError as error:
        raise UnavailableError(f"{error.__class__.__name__}: {error}") from error
    (work / "pulumi").rename(work / "bin")  # the archive's only folder


def _published(checksums: str, archive: str) -> str:
    name = archive.rpartition("/")[2]
    for line in checksums.splitlines():
        if line.split()[1:] == [name]:
            return line.split()[0]
    raise UnavailableError(f"no checksum is published for {name}")
