"""Pulumi, its plugins, and the programs that images are built from: found, else downloaded, else built.

An installed Pulumi is used as it is, otherwise the official release. If neither is available, the Go modules of
`toolchain/` are built, and the cache keeps them under the hash of their inputs.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dive_infra.config import environment
from dive_infra.config.environment import cache_folder
from dive_infra.toolchain import download, go_build
from dive_infra.toolchain.go_build import Bundle, Program, Progress, Script, ToolchainError

__all__ = ["PLUGINS", "Toolchain", "ToolchainError", "binary", "ensure", "ensure_plugins", "key"]

PULUMI = "3.250.0"  # what is downloaded or built
LANGUAGE_HOST = "3.79.0"  # what is built: later ones are in no module archive
COMPOSE = "2.35.1"
SUPPORTED = ((3, 250, 0), (4, 0, 0))  # an installed one: from, and below

PLUGINS: Mapping[str, str] = {
    # resource plugin -> the version that its Python package asks the engine for
    "docker": "5.2.0",
    "keycloak": "6.7.0",
    "postgresql": "3.16.2",
}

_SDK = "github.com/pulumi/pulumi/sdk/v3"
_VERSION = f"{_SDK}/go/common/version.Version"

BUNDLES: Mapping[str, Bundle] = {
    "pulumi": Bundle(
        {
            "pulumi": Program("pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", f"{_VERSION}=v{PULUMI}"),
            "pulumi-language-python": Program(
                "language-python", f"{_SDK}/python/cmd/pulumi-language-python", f"{_VERSION}=v{LANGUAGE_HOST}"
            ),
        },
        {
            "pulumi-language-python-exec": Script("pulumi", _SDK, "python/cmd/pulumi-language-python-exec"),
            "pulumi-resource-pulumi-python": Script("pulumi", _SDK, "python/dist/pulumi-resource-pulumi-python"),
        },
    ),
    "plugins": Bundle(
        {
            f"pulumi-resource-{name}": Program("plugins", f"./{name}", f"main.version={version}", "no_compose")
            for name, version in PLUGINS.items()
        }
    ),
    "opa": Bundle(
        {
            "opa": Program("opa", "github.com/open-policy-agent/opa"),
        }
    ),
    "compose": Bundle(  # for the benchmark alone, which compares with it
        {
            "docker-compose": Program(
                "compose",
                "github.com/docker/compose/v2/cmd",
                f"github.com/docker/compose/v2/internal.Version=v{COMPOSE}",
            ),
        }
    ),
    "actionlint": Bundle(  # for the tests of the GitHub workflows
        {
            "actionlint": Program("actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
        }
    ),
    "ferretdb": Bundle(
        {
            "ferretdb": Program("ferretdb", tags="ferretdb_no_sqlite"),
        }
    ),
}

_MARK = "built-from"  # in a plugin's folder: the key of our build, so that a newer one replaces it


@dataclass(frozen=True)
class Toolchain:
    """A working Pulumi: the program, the directories to put first on PATH, and where it came from."""

    pulumi: Path
    bin_dirs: list[Path]
    source: Literal["installed", "downloaded", "built"]


def ensure(cache: Path | None, progress: Progress) -> Toolchain:
    """Return a supported Pulumi with its Python language host. Raises `ToolchainError`."""
    cache = cache or cache_folder()
    return find(cache, progress) or _downloaded(cache, progress) or _built(cache, progress)


def find(cache: Path | None, progress: Progress) -> Toolchain | None:
    """Return the Pulumi that is present; download or build nothing."""
    cache = cache or cache_folder()
    return _installed(cache, progress) or _cached(cache)


def ensure_plugins(
    toolchain: Toolchain, pulumi_home: Path, progress: Progress, cache: Path | None = None
) -> list[Path]:
    """Put each missing resource plugin where Pulumi finds it; return all their folders. Raises `ToolchainError`.

    A present plugin is kept, unless it is a build of ours from other inputs than today's.
    """
    ours = BUNDLES["plugins"].key()
    folders = {name: pulumi_home / "plugins" / f"resource-{name}-v{version}" for name, version in PLUGINS.items()}
    for name, folder in folders.items():
        if _plugin_present(name, folder, ours):
            continue
        if toolchain.source != "built" and _install_official(toolchain, name, pulumi_home, progress):
            continue
        _install(binary(f"pulumi-resource-{name}", progress, cache), folder, ours)
    return list(folders.values())


def binary(name: str, progress: Progress, cache: Path | None = None) -> Path:
    """Return the path of a program that is built here (`opa`, `pulumi-resource-docker`, …), built if missing.

    Raises `ToolchainError`, and `KeyError` for a name that no bundle has.
    """
    owner = _owner(name)
    return go_build.ensure(owner, BUNDLES[owner], cache or cache_folder(), progress) / name


def built(name: str, cache: Path) -> Path | None:
    """Return the path of a program that was built here; None if it was not, and build nothing."""
    owner = _owner(name)
    path = go_build.directory(owner, BUNDLES[owner], cache) / name
    return path if path.exists() else None


def key(name: str) -> str:
    """Return a hash over everything that decides the outcome of building the program `name`."""
    return BUNDLES[_owner(name)].key()


def _owner(name: str) -> str:
    for owner, bundle in BUNDLES.items():
        if name in bundle.programs or name in bundle.scripts:
            return owner
    raise KeyError(name)


def _installed(cache: Path, progress: Progress) -> Toolchain | None:
    found = shutil.which("pulumi")
    if found is None or Path(found).is_relative_to(cache):
        return None
    done = subprocess.run([found, "version"], capture_output=True, text=True)
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout.strip())
    least, beyond = (".".join(map(str, bound)) for bound in SUPPORTED)
    if version is None or not SUPPORTED[0] <= tuple(map(int, version.groups())) < SUPPORTED[1]:
        text = (done.stdout or done.stderr).strip()
        progress(f"{found} says {text!r}, supported is {least} up to below {beyond}: using another")
        return None
    if shutil.which("pulumi-language-python") is None and not Path(found).with_name("pulumi-language-python").exists():
        progress(f"{found} has no pulumi-language-python beside it: using another")
        return None
    return Toolchain(Path(found), [Path(found).parent], "installed")


def _cached(cache: Path) -> Toolchain | None:
    release = download.directory(PULUMI, cache)
    if release.is_dir():
        return Toolchain(release / "pulumi", [release], "downloaded")
    built = go_build.directory("pulumi", BUNDLES["pulumi"], cache)
    return Toolchain(built / "pulumi", [built], "built") if built.is_dir() else None


def _downloaded(cache: Path, progress: Progress) -> Toolchain | None:
    progress(f"downloading pulumi {PULUMI}")
    try:
        release = download.ensure(PULUMI, cache, progress)
    except download.UnavailableError as reason:
        progress(f"no official release to be had ({reason}): building the toolchain, some minutes")
        return None
    return Toolchain(release / "pulumi", [release], "downloaded")


def _built(cache: Path, progress: Progress) -> Toolchain:
    built = go_build.ensure("pulumi", BUNDLES["pulumi"], cache, progress)
    return Toolchain(built / "pulumi", [built], "built")


def _plugin_present(name: str, folder: Path, ours: str) -> bool:
    mark = folder / _MARK
    if not (folder / f"pulumi-resource-{name}").exists() or folder.with_name(f"{folder.name}.partial").exists():
        return False  # the engine marks an unfinished installation by a .partial file beside the folder
    return not mark.exists() or mark.read_text() == ours


def _install_official(toolchain: Toolchain, name: str, pulumi_home: Path, progress: Progress) -> bool:
    progress(f"downloading the {name} plugin {PLUGINS[name]}")
    done = subprocess.run(
        [toolchain.pulumi, "plugin", "install", "resource", name, PLUGINS[name]],
        env={**environment.counting(os.environ), "PULUMI_HOME": str(pulumi_home)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        progress(f"the {name} plugin is not to be had ({reason}): building it")
    return done.returncode == 0


def _install(program: Path, folder: Path, ours: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".installing-") as scratch:
        work = Path(scratch, folder.name)
        work.mkdir()
        shutil.copy2(program, work)
        (work / _MARK).write_text(ours)
        if folder.exists():
            folder.rename(Path(scratch, "replaced"))
        work.rename(folder)
    folder.with_name(f"{folder.name}.partial").unlink(missing_ok=True)
