"""The files of one service, in their own volume: exact owner, mode 0400, mounted read-only.

The Docker provider cannot upload to a container with a read-only root, and a bind mount would expose the host. A
container that is never started carries the files into the volume. Files that were altered or lost are rewritten, and
the container is replaced with them: it may have read the wrong ones.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.engines import declaration


class FilesProvider(Provider):
    replaces = ("volume",)
    ignores = ("declared",)  # only read: a changed declaration is a change of the container
    delete_before_replace = False  # the container uses the old volume until it is replaced

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        digest = engines.connect().write_files(
            inputs["volume"], inputs["contents"], int(inputs["owner"]), inputs["declared"]
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
        # If the container is missing or has another mount, the probe reports it.
        return engines.connect().files_drift(
            before["declared"]["name"], before["volume"], before["contents"], int(before["owner"])
        )

    def delete_resource(self, before: Inputs) -> None:
        engines.connect().remove("volume", before["volume"])


class ServiceFiles(Resource, module="dive", name="Files"):
    """Writes `contents` (absolute path below `/etc/dive` -> text) to a volume, whose name ends with their hash.

    Changed contents get a new volume, so no old file remains. `generation` is a replacement trigger of the container
    (`declared`, as plain data), `digest` a hash over the expected files.
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
