"""Give a service its image: the locked or present one, the registry's, or one built here from `images/`.

A deployment calls `resolve`. The tag of a built image contains the hash of all its inputs, so a second run builds
nothing.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Literal

import docker
from docker.errors import ImageNotFound
from docker.models.images import Image

from dive_infra.images import builder, registry
from dive_infra.images.recipes import RECIPES, recipe_hash, tag
from dive_infra.images.registry import ImageError, lock
from dive_infra.toolchain.debian import Progress

__all__ = ["ImageError", "ResolvedImage", "find", "lock", "recipe_hash", "resolve", "resolve_all"]

OPTIMIZED = {"keycloak": "keycloak-optimized"}  # service -> recipe applied to the image that it has
BASE_IMAGE = "debian:bookworm-slim"


@dataclass(frozen=True)
class ResolvedImage:
    """An image on the engine. Use `id` (`sha256:...`): a name may move."""

    id: str
    reference: str
    source: Literal["present", "pulled", "built"]


def find(engine: docker.DockerClient, service: str, reference: str) -> ResolvedImage | None:
    """Return the image of `service` if it is already on the engine: no registry is asked, nothing is built."""
    there = _find(engine, service, reference)
    if not there or service not in OPTIMIZED:
        return there
    name = tag(OPTIMIZED[service], there.id)
    image = present(engine, name)
    return ResolvedImage(_id(image), name, "present") if image else None


def held(engine: docker.DockerClient, service: str, reference: str) -> dict[str, Image]:
    """Return the image of `service` on the engine and the one that is built on it, by names that an archive can hold.

    An archive holds no digests of registries, so an image that is known by one alone is left out.
    """
    for name in _names(service, reference):
        if "@" not in name and (image := present(engine, name)):
            on_it = tag(OPTIMIZED[service], _id(image)) if service in OPTIMIZED else name
            above = present(engine, on_it)
            return {name: image} | ({on_it: above} if above else {})
    return {}


def present(engine: docker.DockerClient, name: str) -> Image | None:
    """Return the image of this name or id, or None if the engine has none."""
    try:
        return engine.images.get(name)
    except ImageNotFound:
        return None


def resolve(
    engine: docker.DockerClient, service: str, reference: str, progress: Progress = lambda _: None
) -> ResolvedImage:
    """Return the image of `service` for its configured `reference`, pulled or built if it is missing.

    Raises `ImageError`, and `PackageError` or `ToolchainError` for what a build needs.
    """
    there = _find(engine, service, reference) or _obtain(engine, service, reference, progress)
    if not (recipe := OPTIMIZED.get(service)):
        return there
    name = tag(recipe, there.id)
    with one_builder(recipe):
        if image := present(engine, name):
            return ResolvedImage(_id(image), name, there.source)
        return ResolvedImage(_build(engine, recipe, there.id, name, progress), name, "built")


def resolve_all(
    engine: docker.DockerClient, references: Mapping[str, str], progress: Progress = lambda _: None
) -> dict[str, ResolvedImage]:
    """Resolve service -> reference, two at a time; the first failure is raised after the running ones have ended."""
    with ThreadPoolExecutor(2) as pool:
        futures = {s: pool.submit(resolve, engine, s, reference, progress) for s, reference in references.items()}
        wait(futures.values(), return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    done = {service: future for service, future in futures.items() if not future.cancelled()}
    return {service: future.result() for service, future in done.items()}


def _find(engine: docker.DockerClient, service: str, reference: str) -> ResolvedImage | None:
    """Return the configured image, at its locked digest if it has one, else our own with its interface."""
    for name in _names(service, reference):
        if image := present(engine, name):
            return ResolvedImage(_id(image), name, "present")
    return None


def _names(service: str, reference: str) -> list[str]:
    """Return the names that the image may have, the configured one first."""
    configured = [] if registry.ours(reference) else [registry.locked(reference)]
    return configured + ([tag(service)] if _buildable(service, reference) else [])


def _obtain(engine: docker.DockerClient, service: str, reference: str, progress: Progress) -> ResolvedImage:
    if not registry.ours(reference):
        wanted = registry.locked(reference)
        try:
            registry.ask(wanted)
            return ResolvedImage(registry.pull(engine, wanted, progress), wanted, "pulled")
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
    """Return the id of an image of `RECIPES`; build it and those below it if they are missing."""
    recipe, name = RECIPES[service], tag(service)
    with one_builder(service):
        if image := present(engine, name):
            return _id(image)
        if service == "base":
            return _base(engine, name, progress)
        if recipe.base:
            _ensure_built(engine, recipe.base, progress)
        return _build(engine, service, tag(recipe.base) if recipe.base else "", name, progress)


def _base(engine: docker.DockerClient, name: str, progress: Progress) -> str:
    """Return Debian's own image if available, else one built from Debian's packages."""
    image = present(engine, BASE_IMAGE)
    if not image:
        try:
            registry.ask(BASE_IMAGE)
            registry.pull(engine, BASE_IMAGE, progress)
            image = present(engine, BASE_IMAGE)
        except ImageError:
            builder.debootstrap(engine, name, progress)
    if image:
        image.tag(*name.split(":"))
    return _id(engine.images.get(name))


def _build(engine: docker.DockerClient, service: str, base: str, name: str, progress: Progress) -> str:
    files: dict[str, Path] = {}
    try:
        for file, artifact in RECIPES[service].artifacts.items():
            if not builder.cached(artifact).exists():
                with one_builder("artifact"):
                    builder.fetch(engine, _ensure_built(engine, "maven", progress), artifact, progress)
            files[file] = builder.cached(artifact)
        builder.build(engine, service, base, name, files, progress)
    except builder.BuildError as error:
        raise ImageError(str(error)) from error
    return _id(engine.images.get(name))


def _id(image: Image) -> str:
    assert image.id
    return image.id


def _buildable(service: str, reference: str) -> bool:
    """Return True if the image that is built here has the interface of the configured one."""
    recipe = RECIPES.get(service)
    return recipe is not None and registry.repository_of(reference) in recipe.stands_in_for


@contextmanager
def one_builder(recipe: str) -> Iterator[None]:
    """Let only one run or thread on this machine build an image at a time."""
    with (builder.cache_dir("locks") / f"image-{recipe}").open("w") as file:
        flock(file, LOCK_EX)
        yield
