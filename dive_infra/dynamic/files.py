"""The files of one service, in a volume of their own: exact owner, mode 0400, mounted read-only.

The Docker provider's uploads cannot reach a container with a read-only root, and a bind mount would show the host. A
container that is never started carries the files into the volume.
"""

import contextlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pulumi
from docker.errors import NotFound
from docker.types import Mount
from pulumi.dynamic import Resource

from dive_infra.catalog.spec import FILES
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.machine import engine


class FilesProvider(Provider):
    replaces = ("volume",)
    delete_before_replace = False  # the old one is in use until its container is replaced

    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        client = engine.client()
        # Creating a volume that is there already answers with it.
        client.volumes.create(inputs["volume"], labels=inputs["labels"])
        carrier_name = f"{inputs['volume']}-carrier"
        with contextlib.suppress(NotFound):  # of an interrupted run
            client.containers.get(carrier_name).remove(v=True)
        carrier = client.containers.create(
            inputs["image"],
            name=carrier_name,
            entrypoint=["/none"],
            mounts=[Mount(FILES, inputs["volume"])],
            labels=inputs["labels"],
        )
        try:
            carrier.put_archive("/", _archive(inputs["contents"], int(inputs["owner"])))
        finally:
            carrier.remove(v=True)  # what the image declares as volumes, too
        return inputs["volume"], {}

    def drift(self, before: Inputs) -> str | None:
        try:
            engine.client().volumes.get(before["volume"])
        except NotFound:
            return "its volume is gone"
        return None

    def remove(self, before: Inputs) -> None:
        try:
            engine.client().volumes.get(before["volume"]).remove()
        except NotFound:
            return


def _archive(contents: Mapping[str, str], owner: int) -> bytes:
    """A tar of the files and their folders, all owned by `owner`."""
    buffer = io.BytesIO()
    folders: set[PurePosixPath] = set()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in sorted(contents.items()):
            for folder in reversed(PurePosixPath(path).parents):
                if folder.is_relative_to(FILES) and folder not in folders:
                    folders.add(folder)
                    tar.addfile(_entry(folder, owner, 0o500, tarfile.DIRTYPE))
            data = text.encode()
            entry = _entry(PurePosixPath(path), owner, 0o400, tarfile.REGTYPE)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _entry(path: PurePosixPath, owner: int, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(path).lstrip("/"))
    entry.uid = entry.gid = owner
    entry.mode, entry.type = mode, kind
    return entry


class Files(Resource, module="dive", name="Files"):
    """Writes `contents` (absolute path below `/etc/dive` -> text) to a volume, `volume`, named after their hash.

    Other contents are another volume, so nothing of the old ones stays.
    """

    volume: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        volume: str,
        labels: Mapping[str, pulumi.Input[str]],
        owner: int,
        contents: pulumi.Input[Mapping[str, str]],
        fingerprint: pulumi.Input[str],
        image: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "volume": pulumi.Output.from_input(fingerprint).apply(lambda digest: f"{volume}-{digest[:8]}"),
            "labels": dict(labels),
            "owner": owner,
            "contents": contents,
            "image": image,
        }
        super().__init__(FilesProvider(), name, props, opts)
