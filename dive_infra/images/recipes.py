"""What is built on machines without a registry: one row for each image, and the hash of all its inputs."""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO

from dive_infra.catalog.keycloak import BUILD_OPTIONS
from dive_infra.config import paths
from dive_infra.toolchain import toolchain

LOCAL = "dive.local"  # no registry: the names of what is built here
HOST_CA = "host-ca.pem"


@dataclass(frozen=True)
class Artifact:
    """A file from Maven Central, by coordinates `group:artifact:version:type`."""

    coordinates: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """How an image is built.

    `directory` holds its Dockerfile and files. `parts` (further directories of the checkout), `binaries` (programs of
    `toolchain/`) and `artifacts` (files from Maven Central) join the build context under the given names. `base` is
    another row. `stands_in_for` are the repositories whose interface the image has; it never replaces a configured
    reference of any other repository.
    """

    directory: str
    base: str | None = "base"
    stands_in_for: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    binaries: tuple[str, ...] = ()
    artifacts: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])


def _service(name: str) -> Recipe:
    parts = {"common": "services/common", "service": f"services/{name}"}
    return Recipe("images/service", "python", (f"dive/{name}",), parts=parts, arguments={"SERVICE": name})


KEYCLOAK = Artifact(
    "org.keycloak:keycloak-quarkus-dist:26.7.4:tar.gz",
    "04823c336b797a7e18889a44262a7a64e6bf624cbbcc518c85e2622176ff2eee",
)

RECIPES: Mapping[str, Recipe] = {
    "base": Recipe("images/base", None, ("debian",)),
    "maven": Recipe("images/maven"),
    "python": Recipe("images/python"),
    "opal": Recipe("images/opal", "python"),
    "postgres-server": Recipe("images/postgres-server"),
    "postgres": Recipe("images/postgres", "postgres-server", ("postgres",)),
    "mongodb": Recipe("images/mongodb", "postgres-server", ("mongo",), binaries=("ferretdb",)),
    "redis": Recipe("images/redis", stands_in_for=("redis",)),
    "keycloak": Recipe(
        "images/keycloak", stands_in_for=("quay.io/keycloak/keycloak",), artifacts={"keycloak.tar.gz": KEYCLOAK}
    ),
    "keycloak-optimized": Recipe(
        "images/keycloak-optimized", "keycloak", arguments={"OPTIONS": " ".join(BUILD_OPTIONS)}
    ),
    "opa": Recipe("images/opa", None, ("openpolicyagent/opa",), binaries=("opa",)),
    "opal-server": Recipe("images/opal-server", "opal", ("permitio/opal-server",)),
    "opal-client": Recipe("images/opal-client", "opal", ("permitio/opal-client-standalone", "permitio/opal-client")),
    "backend": _service("backend"),
    "kas": _service("kas"),
    "frontend": _service("frontend"),
}


def recipe_hash(service: str, base: str | None = None) -> str:
    """Return 12 hex digits over all inputs of the image, its base's included (or, if given, the image id `base`)."""
    return _hash(service, base)[:12]


def tag(service: str, base: str | None = None) -> str:
    """Return the tag of a built image: `dive.local/redis:0123456789ab`."""
    return f"{LOCAL}/{service}:{recipe_hash(service, base)}"


@cache  # the checkout does not change during a command, and each base's hash is needed many times
def _hash(service: str, base: str | None) -> str:
    recipe = RECIPES[service]
    digest = sha256()
    for name, path in context_files(recipe):
        digest.update(f"{name} {_mode(path):o} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    inputs = [f"{name} {artifact.sha256}" for name, artifact in recipe.artifacts.items()]
    inputs += [f"{name} {toolchain.key(name)}" for name in recipe.binaries]
    inputs += [f"{name}={value}" for name, value in recipe.arguments.items()]
    inputs += [base or _hash(recipe.base, None)] if recipe.base else []
    digest.update("\n".join(inputs).encode())
    return digest.hexdigest()


def forget() -> None:
    """Forget the hashes: the next one reads the checkout again."""
    _hash.cache_clear()


def context_files(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    """Yield the files of the checkout that a build sees: name in its context, path; in a fixed order."""
    for prefix, directory in (("", recipe.directory), *sorted(recipe.parts.items())):
        top = paths.ROOT / directory
        if not top.is_dir():
            raise FileNotFoundError(f"{directory}: no such directory in the checkout, though an image is built from it")
        for path in sorted(top.rglob("*")):
            inside = path.relative_to(top)
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
                yield (Path(prefix) / inside).as_posix(), path


def write_context(target: IO[bytes], recipe: Recipe, more: Mapping[str, Path], host_ca: bytes) -> None:
    """Write a build context as a tar file: the recipe's files, `more` files by name, and the host's CA bundle."""
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, path in (*context_files(recipe), *more.items()):
            entry = tar.gettarinfo(path, name)
            entry.uid = entry.gid = 0
            entry.mode = _mode(path)
            with path.open("rb") as content:
                tar.addfile(entry, content)
        entry = tarfile.TarInfo(HOST_CA)
        entry.size, entry.mode = len(host_ca), 0o644
        tar.addfile(entry, BytesIO(host_ca))


def _mode(path: Path) -> int:
    """Return what git keeps of a mode, so that a checkout's umask changes nothing."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644
