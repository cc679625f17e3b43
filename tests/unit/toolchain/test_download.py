"""Downloading an official release."""

import hashlib
import io
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dive_infra.toolchain import download
from dive_infra.toolchain.toolchain import ToolchainError


def quiet(_: str) -> None:
    """Progress that no one watches."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def _release(folder: Path, checksum: str | None = None) -> None:
    content = b"#!/bin/sh\necho v1.2.3\n"
    entry = tarfile.TarInfo("pulumi/pulumi")
    entry.size, entry.mode = len(content), 0o755
    for architecture in ("x64", "arm64"):
        archive = folder / f"pulumi-v1.2.3-linux-{architecture}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.addfile(entry, io.BytesIO(content))
        (folder / "v1.2.3").mkdir(exist_ok=True)
        with (folder / "v1.2.3" / "pulumi-1.2.3-checksums.txt").open("a") as checksums:
            checksums.write(f"{checksum or hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n")


def test_the_official_release_is_kept_when_its_checksum_is_right(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = server
    _release(folder)
    programs = download.ensure("1.2.3", tmp_path / "cache", quiet, url, url)
    assert subprocess.check_output([programs / "pulumi"], text=True) == "v1.2.3\n"


def test_an_altered_release_is_refused_and_not_kept(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = server
    _release(folder, checksum="0" * 64)
    with pytest.raises(ToolchainError, match=r"sha256 .* says 0000"):
        download.ensure("1.2.3", tmp_path / "cache", quiet, url, url)
    assert not download.directory("1.2.3", tmp_path / "cache").exists()


def test_an_unreachable_release_is_distinguished_from_a_wrong_one(server: tuple[Path, str], tmp_path: Path) -> None:
    _, url = server
    with pytest.raises(download.UnavailableError, match="404"):
        download.ensure("1.2.3", tmp_path / "cache", quiet, url, url)
