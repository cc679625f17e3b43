"""The files of one service, in their own volume: exact owner, mode 0400, mounted read-only.

The Docker provider cannot upload to a container with a read-only root, and a bind mount would expose the host. A
container that is never started carries the files into the volume. Files that were altered or lost are rewritten, and
the container is replaced with them: it may have read the wrong ones. Live files, which the service reads again, are a
resource of their own: it writes them while the service runs, and no container depends on what it says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.engines import declaration

LIVE = ""  # in the place of the text of a live file among the others


class FilesProvider(Provider):
    replaces = ("volume",)
    ignores = ("declared",)  # only read: a changed declaration is a change of the container
    delete_before_replace = False  # the container uses the old volume until it is replaced

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        digest = engines.connect().write_files(
            inputs["volume"], _fixed(inputs), int(inputs["owner"]), inputs["declared"]
        )
        return inputs["volume"], {"generation": 0, "digest": digest}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        kept = {key: before[key] for key in ("generation", "digest")}
        if self.drift_reason(before) is None:
            return kept
        engines.connect().remove_container(declaration.load(inputs["declared"]))
        self.delete_resource(before)  # with files that were added by hand
        return self.create_resource(inputs)[1] | {"generation": int(before["generation"]) + 1}

    def drift_reason(self, before: Inputs) -> str | None:
        if engines.connect().volume_labels(before["volume"]) is None:
            return "its volume is gone"
        live = {_short(path) for path, text in before["contents"].items() if text == LIVE}
        return _described({path: word for path, word in _drift(before, _fixed(before)).items() if path not in live})

    def delete_resource(self, before: Inputs) -> None:
        engines.connect().remove("volume", before["volume"])


class LiveFilesProvider(Provider):
    """Inputs: those of `Files`, with the text of every file, and the paths `live` that it writes."""

    replaces = ("volume",)
    ignores = ("declared",)
    delete_before_replace = False

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        digest = engines.connect().write_files(
            inputs["volume"], inputs["contents"], int(inputs["owner"]), inputs["declared"], inputs["live"]
        )
        return inputs["volume"], {"digest": digest}

    def drift_reason(self, before: Inputs) -> str | None:
        live = {*map(_short, before["live"])}
        return _described({path: word for path, word in _drift(before, before["contents"]).items() if path in live})


def _fixed(inputs: Inputs) -> dict[str, str]:
    return {path: text for path, text in inputs["contents"].items() if text != LIVE}


def _drift(before: Inputs, contents: Mapping[str, str]) -> Mapping[str, str]:
    # If the container is missing or has another mount, the probe reports it.
    return engines.connect().files_drift(before["declared"]["name"], before["volume"], contents, int(before["owner"]))


def _short(path: str) -> str:
    """Return the path as the engine names it."""
    return path.removeprefix("/etc/")


def _described(drift: Mapping[str, str]) -> str | None:
    return ", ".join(f"{path} {word}" for path, word in drift.items()) or None


class ServiceFiles(Resource, module="dive", name="Files"):
    """Writes `contents` (absolute path below `/etc/dive` -> text) to a volume, whose name ends with their hash.

    Changed contents get a new volume, so no old file remains. A file whose text is `LIVE` is left to `LiveFiles`.
    `generation` is a replacement trigger of the container (`declared`, as plain data), `digest` a hash over the
    expected files.
    """

    volume: pulumi.Output[str]
    generation: pulumi.Output[int]
    digest: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        volume: pulumi.Input[str],
        owner: int,
        contents: pulumi.Input[Mapping[str, str]],
        declared: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "volume": volume,
            "owner": owner,
            "contents": contents,
            "declared": declared,
            "generation": None,
            "digest": None,
        }
        super().__init__(FilesProvider(), name, props, opts)


class LiveFiles(Resource, module="dive", name="LiveFiles"):
    """Writes the files `live` among `contents` to the volume of `files`, in place; `digest` is a hash over all.

    They go with the volume, and are written again with it. A preview does not know what `Files` will say after an
    update; therefore nothing but that decides about the container, and this resource is not part of it.
    """

    digest: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        files: ServiceFiles,
        owner: int,
        contents: pulumi.Input[Mapping[str, str]],
        live: Sequence[str],
        declared: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "volume": files.volume,
            "generation": files.generation,
            "owner": owner,
            "contents": contents,
            "live": list(live),
            "declared": declared,
            "digest": None,
        }
        super().__init__(LiveFilesProvider(), name, props, opts)
