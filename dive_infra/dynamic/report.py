"""The verification report as a file, restored when it was edited or removed; no check reads it."""

from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks import report
from dive_infra.dynamic.base import Inputs, Outputs, Provider


class ReportProvider(Provider):
    deploys = False  # for people and tools; the proof is in the record
    replaces = ("path",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        if report.judge(Path(inputs["path"]), inputs["text"]):
            report.write(inputs["text"], Path(inputs["path"]))
        return inputs["path"], {}

    def drift_reason(self, before: Inputs) -> str | None:
        found = report.judge(Path(before["path"]), before["text"])
        return f"{before['path']} {found}, so it is ignored and written again" if found else None

    def delete_resource(self, before: Inputs) -> None:
        Path(before["path"]).unlink(missing_ok=True)


class ReportFile(Resource, module="dive", name="Report"):
    """`text` is the report of VERIFICATION, `path` its file, relative to the program."""

    def __init__(
        self,
        name: str,
        path: pulumi.Input[str],
        text: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(ReportProvider(), name, {"path": path, "text": text}, opts)
