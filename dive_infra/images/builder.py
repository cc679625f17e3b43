"""Build images on the engine, from Debian's packages, PyPI, Maven Central and our own toolchain only."""

import os
import re
import ssl
import tarfile
from collections import deque
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import certifi
import docker
from docker.errors import DockerException

from dive_infra.config import environment
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker import engine as engines
from dive_infra.images import registry
from dive_infra.images.recipes import RECIPES, Artifact, tag, write_context
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain import debian, toolchain
from dive_infra.toolchain.debian import Progress

LOG_LINES = 25
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")  # of the environment, to builds
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class BuildError(DiveError):
    """A build failed; the message ends with the last lines of its log."""


def cache_dir(*parts: str) -> Path:
    """Return a folder of the cache, created if missing."""
    path = environment.cache_folder().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def build(
    engine: docker.DockerClient, service: str, base: str, name: str, files: Mapping[str, Path], progress: Progress
) -> None:
    """Build the recipe of `service` on the image `base` and tag it `name`; `files` join its context."""
    recipe = RECIPES[service]
    if recipe.binaries:
        _require_own_processor(engine, name)
    binaries = {binary: toolchain.binary(binary, progress) for binary in recipe.binaries}
    arguments = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    arguments |= recipe.arguments
    if base:
        arguments["BASE"] = base
    if flaw := registry.helper_flaw():  # the library asks each helper before a build
        raise BuildError(flaw.cause, flaw.remedy)
    log: deque[str] = deque(maxlen=LOG_LINES)
    progress(f"building {name}")
    with TemporaryFile() as context:
        write_context(context, recipe, {**binaries, **files}, host_ca())
        context.seek(0)
        events = engine.api.build(
            fileobj=context,
            custom_context=True,
            tag=name,
            buildargs=arguments,
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
            labels={"dive.recipe": service},
        )
        for event in events:
            text = _COLOUR.sub("", event.get("stream", "")).strip()
            log.extend(text.splitlines())
            if text.startswith("Step "):
                progress(f"{service}: {text.splitlines()[0]}")
            if "error" in event:
                end = "\n".join(log)
                raise BuildError(f"building {name} from {recipe.directory}/ failed: {event['error']}\n{end}")


def debootstrap(engine: docker.DockerClient, name: str, progress: Progress) -> None:
    """Create the base image by debootstrap; the cache keeps the tarball."""
    _require_own_processor(engine, name)
    tarball = cache_dir("images") / f"{tag('base').rpartition('/')[2].replace(':', '-')}.tar"
    if not _intact(tarball):
        if not debian.possible():
            raise debian.PackageError(
                "no registry answers, and a base image is made from Debian's packages by root only; `docker pull "
                "debian:bookworm-slim` or `docker load` it, or run this once as root"
            )
        if not Path("/usr/sbin/debootstrap").exists():
            debian.install(("debootstrap",), progress)
        progress("making the base image from Debian's packages")
        with TemporaryDirectory(dir=tarball.parent) as work:
            made = Path(work) / "base.tar"
            debian.run([str(ROOT / RECIPES["base"].directory / "make.sh"), f"{work}/root", str(made)])
            made.replace(tarball)
        _checksum_file(tarball).write_text(_sha256(tarball))
    repository, _, version = name.rpartition(":")
    engine.api.import_image_from_file(str(tarball), repository, version, changes=['CMD ["bash"]'])


def cached(artifact: Artifact) -> Path:
    """Return the path of a fetched artifact."""
    return cache_dir("artifacts") / artifact.sha256


def fetch(engine: docker.DockerClient, maven: str, artifact: Artifact, progress: Progress) -> None:
    """Fetch an artifact by Maven in a container of the image `maven`, and check its checksum."""
    progress(f"fetching {artifact.coordinates}")
    container = engine.containers.create(
        maven,
        ["mvn", "-q", "-B", FETCH, f"-Dartifact={artifact.coordinates}", "-DoutputDirectory=/srv/out"],
        network_mode="host",
        labels={"dive.recipe": "maven"},
    )
    try:
        container.start()
        if code := container.wait()["StatusCode"]:
            end = container.logs(tail=LOG_LINES).decode(errors="replace")
            raise BuildError(f"fetching {artifact.coordinates} ended with code {code}:\n{end}")
        stream, _ = container.get_archive("/srv/out")
        with TemporaryDirectory(dir=cached(artifact).parent) as work:
            packed = Path(work) / "out.tar"
            with packed.open("wb") as file:
                file.writelines(stream)
            with tarfile.open(packed) as tar:
                tar.extractall(work, filter="data")
            (found,) = (Path(work) / "out").iterdir()
            if (sha256 := _sha256(found)) != artifact.sha256:
                raise BuildError(f"{artifact.coordinates}: expected sha256 {artifact.sha256}, found {sha256}")
            found.replace(cached(artifact))
    except DockerException as error:
        raise BuildError(f"fetching {artifact.coordinates}: {error}") from error
    finally:
        container.remove(force=True)


def _require_own_processor(engine: docker.DockerClient, name: str) -> None:
    """Raise `BuildError` if programs that are built here would not run on the engine."""
    here, there = engines.architecture_here(), engines.architecture(engine.info())
    if here != there:
        raise BuildError(
            f"{name} holds programs that are built here for {here}, and the engine has {there}",
            Remedy.decide(f"name images that it can pull in dive:images, or run this on a machine with {there}"),
        )


def host_ca() -> bytes:
    """Return the CA bundle that this host trusts, for builds: an intercepting proxy has its CA there."""
    named = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(named or certifi.where()).read_bytes()


def _intact(file: Path) -> bool:
    return file.exists() and _checksum_file(file).exists() and _checksum_file(file).read_text() == _sha256(file)


def _checksum_file(file: Path) -> Path:
    return file.with_suffix(file.suffix + ".sha256")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()
