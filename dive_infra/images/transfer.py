"""Images from this machine's own engine to the one that a country runs on, where no registry has them."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from dive_infra.engines.docker import engine as engines
from dive_infra.images import registry, resolution
from dive_infra.images.registry import ImageError
from dive_infra.toolchain.debian import Progress

_CHUNK = 1 << 20  # bytes


def bring(engine: docker.DockerClient, references: Mapping[str, str], progress: Progress) -> None:
    """Send, of service -> reference, what the engine lacks, no registry has and this machine's own engine holds.

    All in one stream, which has the layers that images share once. Does nothing without another engine on this machine.
    Raises `ImageError` if something is not there afterwards.
    """
    here = engines.client_here()
    if here is None:
        return
    with closing(here), resolution.one_builder("transfer"):
        names = _sendable(here, engine, references)
        if not names:
            return
        progress(f"sending {', '.join(names)} from this machine's engine")
        archive: Any = _archive(here, names)  # the library's types know no stream
        try:
            engine.images.load(archive)
        except (DockerException, RequestException) as error:
            raise ImageError(f"{', '.join(names)}: could not be sent to the engine: {error}") from error
        # By name: two engines may know one image by different ids.
        if missing := [name for name in names if not resolution.present(engine, name)]:
            raise ImageError(f"{', '.join(missing)}: sent to the engine, but not there")


def _sendable(here: docker.DockerClient, engine: docker.DockerClient, references: Mapping[str, str]) -> list[str]:
    """Return the names of the images to send, each once; an image for another processor would not run there."""
    lacking = {
        service: reference
        for service, reference in references.items()
        if not resolution.find(engine, service, reference) and not registry.has(registry.locked(reference))
    }
    held = {name: image for row in lacking.items() for name, image in resolution.held(here, *row).items()}
    processor = engines.architecture(engine.info()) if held else ""
    return [name for name, image in held.items() if image.attrs["Architecture"] == processor]


def _archive(here: docker.DockerClient, names: list[str]) -> Iterator[bytes]:
    """Yield an archive of the images; Docker's library asks for one image at a time."""
    api, asked = here.api, {"names": names}
    url = f"{api.base_url}/v{api.api_version}/images/get"
    with api.get(url, params=asked, stream=True, timeout=api.timeout) as response:
        if not response.ok:
            raise APIError(response.text.strip())
        yield from response.iter_content(_CHUNK)
