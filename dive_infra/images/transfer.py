"""Images from this machine's own engine to the one that a country runs on, where no registry has them.

What neither has is built here: the other machine may reach no package index.
"""

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
    """Send, of service -> reference, what the engine lacks and no registry has; build here what is missing here, too.

    All in one stream, which has the layers that images share once. Does nothing without another engine on this machine,
    or with one for another processor. Raises `ImageError` if something is not there afterwards.
    """
    here = engines.client_here()
    if here is None:
        return
    with closing(here), resolution.one_builder("transfer"):
        lacking = _lacking(engine, references)
        if not lacking or engines.architecture(here.info()) != engines.architecture(engine.info()):
            return
        resolution.resolve_all(here, lacking, progress)
        names = sorted({name for row in lacking.items() for name in resolution.held(here, *row)})
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


def _lacking(engine: docker.DockerClient, references: Mapping[str, str]) -> dict[str, str]:
    return {
        service: reference
        for service, reference in references.items()
        if not resolution.find(engine, service, reference) and not registry.has(registry.locked(reference))
    }


def _archive(here: docker.DockerClient, names: list[str]) -> Iterator[bytes]:
    """Yield an archive of the images; Docker's library asks for one image at a time."""
    api, asked = here.api, {"names": names}
    url = f"{api.base_url}/v{api.api_version}/images/get"
    with api.get(url, params=asked, stream=True, timeout=api.timeout) as response:
        if not response.ok:
            raise APIError(response.text.strip())
        yield from response.iter_content(_CHUNK)
