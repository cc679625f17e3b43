"""The images of whole countries: the reference of each service, and how all of them reach the engine."""

from collections.abc import Sequence

from dive_infra.catalog.services import services
from dive_infra.config.settings import Settings
from dive_infra.engines.docker import engine
from dive_infra.images import resolution, transfer
from dive_infra.images.resolution import ResolvedImage
from dive_infra.toolchain.debian import Progress


def references(countries: Sequence[Settings]) -> dict[str, str]:
    """Return service -> image reference; where countries differ, the last one's."""
    return {spec.name: spec.image for s in countries for spec in services(s.names, s.hub_names, s.linked, s.images)}


def ensure(countries: Sequence[Settings], progress: Progress) -> None:
    """Find, pull, send or build every image of these countries.

    Raises `EngineError` or `ImageError`, and `PackageError` or `ToolchainError` for what a build needs.
    """
    for settings in countries:
        client, wanted = engine.client(), references([settings])
        transfer.bring(client, wanted, progress)
        resolved = resolution.resolve_all(client, wanted, progress)
        sources = " · ".join(f"{name} {image.source}" for name, image in sorted(resolved.items()))
        progress(f"{settings.country}: {sources}")


def resolve(service: str, reference: str, progress: Progress) -> ResolvedImage:
    """Find, pull, send or build the image of a service; raises what `ensure` raises."""
    client = engine.client()
    transfer.bring(client, {service: reference}, progress)
    return resolution.resolve(client, service, reference, progress)


def found(countries: Sequence[Settings]) -> dict[str, tuple[str, ResolvedImage | None]]:
    """Return service -> its image reference and the image on the engine, or None. Raises `EngineError`."""
    client = engine.client()
    wanted = sorted(references(countries).items())
    return {service: (reference, resolution.find(client, service, reference)) for service, reference in wanted}
