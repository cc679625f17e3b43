"""The probe before a container: checks that it exists as declared.

Its `generation` is a replacement trigger of the container. A plain `pulumi up` thereby replaces a container that was
removed, or recreated by hand in another way than declared; Pulumi alone would not notice. What can be repaired while
the container runs is left to its gate.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.engines import declaration

_HALF_MADE = "never passed its gate: the run that created it ended before"


class ProbeProvider(Provider):
    replaces = ("container",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        engine = engines.connect()
        # The container of an interrupted run, which is not in Pulumi's state.
        declared = declaration.load(inputs["declared"])
        if engine.find(declared).half_made:
            engine.remove_container(declared)
        return inputs["container"], {"generation": 0}

    def drift_reason(self, before: Inputs) -> str | None:
        engine, declared = engines.connect(), declaration.load(before["declared"])
        now = engine.find(declared)
        if not now.exists:
            return "does not exist"
        if now.half_made:
            return _HALF_MADE
        found = engine.differences(now, declared)
        return "; ".join(str(d) for d in found if not d.in_place) or None

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        # A change of the declaration replaces the container by itself; only drift needs the trigger.
        if self.drift_reason(before) is None:
            return {"generation": before["generation"]}
        # Pulumi deletes only the container in its state; another one would keep the name and the ports.
        engines.connect().remove_container(declaration.load(inputs["declared"]))
        return {"generation": int(before["generation"]) + 1}


class Probe(Resource, module="dive", name="Probe"):
    """`declared` is an `engines.declaration.Declared` as plain data."""

    generation: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        container: str,
        declared: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {"container": container, "declared": declared, "generation": None}
        super().__init__(ProbeProvider(), name, props, opts)
