"""The coalition's CA as a file, for providers that need a path (Postgres)."""

from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider


class TrustProvider(Provider):
    deploys = False  # a local file
    replaces = ("path",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        path = Path(inputs["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(inputs["certificate"])
        fresh.replace(path)
        return str(path), {}

    def drift_reason(self, before: Inputs) -> str | None:
        path = Path(before["path"])
        if not path.exists():
            return f"{path} does not exist"
        return None if path.read_text() == before["certificate"] else f"{path} differs from the CA"

    def delete_resource(self, before: Inputs) -> None:
        Path(before["path"]).unlink(missing_ok=True)


class TrustFile(Resource, module="dive", name="TrustFile"):
    """Keeps `certificate` (PEM) in `path`, relative to the program."""

    path: pulumi.Output[str]

    def __init__(
        self, name: str, path: str, certificate: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TrustProvider(), name, {"path": path, "certificate": certificate}, opts)
