"""Gives a service its image: the locked or present one, the registry's, or one built here from `images/`.

`resolve` is what the deployment calls. What is built is tagged by the hash of everything that went into it, so a second
run builds nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Literal

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from requests.exceptions import RequestException

from dive_infra.machine import builder
from dive_infra.machine.debian import Progress
from dive_infra.machine.engine import client
from dive_infra.machine.recipes import RECIPES, ROOT, recipe_hash, tag

__all__ = ["ImageError", "ResolvedImage", "find", "lock", "recipe_hash", "resolve", "resolve_all"]

LOCK_FILE = ROOT / "images.lock"
REGISTRY_SECONDS = 8
OPTIMIZED = {"keycloak": "keycloak-optimized"}  # service -> recipe applied on whatever image it has
BASE_IMAGE = "debian:bookworm-slim"
_silent: dict[str, str] = {}  # registry hosts that did not answer this process -> what happened


class ImageError(RuntimeError):
    """No image for a service; the message tells what was tried, what was found and what to do."""


@dataclass(frozen=True)
class ResolvedImage:
    """An image that is on the engine. `id` is `sha256:...`; use it, not a name that may move."""

    id: str
    reference: str
    source: Literal["present", "pulled", "built"]


def find(engine: docker.DockerClient, service: str, reference: str) -> ResolvedImage | None:
    """The image of `service` if it is on the engine already: asks no registry and builds nothing."""
    there = _find(engine, service, reference)
    if not there or service not in OPTIMIZED:
        return there
    name = tag(OPTIMIZED[service], there.id)
    image = _present(engine, name)
    return ResolvedImage(_id(image), name, "present") if image else None


def resolve(
    engine: docker.DockerClient, service: str, reference: str, progress: Progress = lambda _: None
) -> ResolvedImage:
    """The image of `service` for its configured `reference`, pulled or built where it is not there.

    Raises ImageError, and PackageError or ToolchainError for what a build needs.
    """
    there = _find(engine, service, reference) or _obtain(engine, service, reference, progress)
    if not (recipe := OPTIMIZED.get(service)):
        return there
    name = tag(recipe, there.id)
    with _one_builder(recipe):
        if image := _present(engine, name):
            return ResolvedImage(_id(image), name, there.source)
        return ResolvedImage(_build(engine, recipe, there.id, name, progress), name, "built")


def resolve_all(
    engine: docker.DockerClient, references: Mapping[str, str], progress: Progress = lambda _: None
) -> dict[str, ResolvedImage]:
    """`resolve` for service -> reference, two at a time; the first failure is raised after the running ones ended."""
    with ThreadPoolExecutor(2) as pool:
        futures = {s: pool.submit(resolve, engine, s, reference, progress) for s, reference in references.items()}
        wait(futures.values(), return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    done = {service: future for service, future in futures.items() if not future.cancelled()}
    return {service: future.result() for service, future in done.items()}


def lock(references: Iterable[str]) -> dict[str, str]:
    """Writes the digests of `references` to images.lock and returns them. Raises ImageError, and writes nothing, when
    a registry does not answer for one of them."""
    digests: dict[str, str] = {}
    failed: list[str] = []
    for reference in sorted({r for r in references if not _ours(r)}):
        try:
            digests[reference] = str(_ask_registry(reference)["Descriptor"]["digest"])
        except ImageError as error:
            failed.append(str(error))
    if failed:
        raise ImageError("images.lock is left as it was:\n" + "\n".join(failed))
    LOCK_FILE.write_text(json.dumps(digests, indent=2) + "\n")
    return digests


def _find(engine: docker.DockerClient, service: str, reference: str) -> ResolvedImage | None:
    """The configured image, at its locked digest if it has one, else our own under its interface."""
    names = [] if _ours(reference) else [locked(reference)]
    if _buildable(service, reference):
        names.append(tag(service))
    for name in names:
        if image := _present(engine, name):
            return ResolvedImage(_id(image), name, "present")
    return None


def _obtain(engine: docker.DockerClient, service: str, reference: str, progress: Progress) -> ResolvedImage:
    if not _ours(reference):
        wanted = locked(reference)
        try:
            _ask_registry(wanted)
            return ResolvedImage(_pull(engine, wanted, progress), wanted, "pulled")
        except ImageError as error:
            if not _buildable(service, reference):
                raise ImageError(
                    f"{service}: image {wanted} is neither on the engine nor obtainable: {error}; `docker pull` or "
                    "`docker load` it, or remove it from `dive:images`"
                ) from error
            progress(f"{error}: building our own")
    elif not _buildable(service, reference):
        raise ImageError(f"{service}: {reference} is none of our services: expected dive/{service}; see `dive:images`")
    return ResolvedImage(_ensure_built(engine, service, progress), tag(service), "built")


def _ensure_built(engine: docker.DockerClient, service: str, progress: Progress) -> str:
    """The id of an image of `RECIPES`, building it and those below it where they are missing."""
    recipe, name = RECIPES[service], tag(service)
    with _one_builder(service):
        if image := _present(engine, name):
            return _id(image)
        if service == "base":
            return _base(engine, name, progress)
        if recipe.base:
            _ensure_built(engine, recipe.base, progress)
        return _build(engine, service, tag(recipe.base) if recipe.base else "", name, progress)


def _base(engine: docker.DockerClient, name: str, progress: Progress) -> str:
    """Debian's own image where there is one, else one made from Debian's packages."""
    image = _present(engine, BASE_IMAGE)
    if not image:
        try:
            _ask_registry(BASE_IMAGE)
            _pull(engine, BASE_IMAGE, progress)
            image = _present(engine, BASE_IMAGE)
        except ImageError:
            builder.debootstrap(engine, name, progress)
    if image:
        image.tag(*name.split(":"))
    return _id(engine.images.get(name))


def _build(engine: docker.DockerClient, service: str, base: str, name: str, progress: Progress) -> str:
    files: dict[str, Path] = {}
    for file, artifact in RECIPES[service].artifacts.items():
        if not builder.cached(artifact).exists():
            with _one_builder("artifact"):
                builder.fetch(engine, _ensure_built(engine, "maven", progress), artifact, progress)
        files[file] = builder.cached(artifact)
    try:
        builder.build(engine, service, base, name, files, progress)
    except builder.BuildError as error:
        raise ImageError(str(error)) from error
    return _id(engine.images.get(name))


def _ask_registry(reference: str) -> dict[str, dict[str, str]]:
    """The registry's manifest data of a reference, within seconds. A host that is silent once is not asked again."""
    host = registry_of(reference)
    if host in _silent:
        raise ImageError(f"{reference}: registry {host} does not answer")
    limited = client(REGISTRY_SECONDS).api
    try:
        return limited.inspect_distribution(reference)  # type: ignore[no-untyped-call, no-any-return]
    except APIError as error:
        if not error.is_server_error():
            raise ImageError(f"{reference}: registry {host} refuses it: {error.explanation}") from error
        _silent[host] = str(error.explanation)
        raise ImageError(f"{reference}: registry {host} does not answer ({error.explanation})") from error
    except (RequestException, DockerException) as error:
        _silent[host] = f"nothing within {REGISTRY_SECONDS} s"
        raise ImageError(f"{reference}: registry {host} does not answer ({_silent[host]})") from error
    finally:
        limited.close()


def _pull(engine: docker.DockerClient, reference: str, progress: Progress) -> str:
    progress(f"pulling {reference}")
    try:
        engine.api.pull(reference)
        return _id(engine.images.get(reference))
    except (DockerException, RequestException) as error:
        raise ImageError(f"{reference}: pull failed: {error}") from error


def locked(reference: str) -> str:
    """`repository@digest` where images.lock has it, else the reference itself."""
    if not LOCK_FILE.exists():
        return reference
    try:
        digests = json.loads(LOCK_FILE.read_text())
    except ValueError as error:
        raise ImageError(f"{LOCK_FILE.name}: not JSON ({error}); write it anew with `./dive images lock`") from error
    return f"{repository_of(reference)}@{digests[reference]}" if reference in digests else reference


def _present(engine: docker.DockerClient, name: str) -> Image | None:
    try:
        return engine.images.get(name)
    except ImageNotFound:
        return None


def _id(image: Image) -> str:
    assert image.id
    return image.id


def _ours(reference: str) -> bool:
    """`dive/backend`: our own services, which no registry holds."""
    return reference.startswith("dive/")


def _buildable(service: str, reference: str) -> bool:
    """Whether what is built here has the interface of the configured image."""
    recipe = RECIPES.get(service)
    return recipe is not None and repository_of(reference) in recipe.stands_in_for


def registry_of(reference: str) -> str:
    """`quay.io/keycloak/keycloak:26.7.4` -> `quay.io`; without a host it is Docker's."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def repository_of(reference: str) -> str:
    """`quay.io/keycloak/keycloak:26.7.4` -> `quay.io/keycloak/keycloak`, a digest or tag removed."""
    name = reference.split("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.split(":")[0]


@contextmanager
def _one_builder(recipe: str) -> Iterator[None]:
    """Two runs on one machine, or two threads, do not build the same image twice."""
    with (builder.cache_dir("locks") / f"image-{recipe}").open("w") as file:
        flock(file, LOCK_EX)
        yield
