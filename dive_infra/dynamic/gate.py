"""The gate after a container: opens once it runs and is healthy, and repairs what needs no new container.

`container_id` and `ready` are echoed inputs: an update returns them when the gate opens, a preview knows them. What is
stored in a server is therefore not announced as changed whenever its container is.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.engines import declaration
from dive_infra.engines.engine import ContainerFailed
from dive_infra.plans import provider_messages
from dive_infra.results.text import first_line


class GateProvider(Provider):
    replaces = ("container",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        engine, name = engines.connect(), inputs["container"]
        degraded = ""
        try:
            engine.settle(declaration.load(inputs["declared"]))
            engine.await_healthy(name, float(inputs["deadline"]))
        except ContainerFailed as error:
            if inputs["service_class"] == "core":
                raise
            degraded = first_line(error)
            tell(provider_messages.service_degraded(inputs["service_class"], error))
        return name, {"degraded": degraded}

    def drift_reason(self, before: Inputs) -> str | None:
        engine, declared = engines.connect(), declaration.load(before["declared"])
        now = engine.find(declared)
        if not now.healthy:
            return f"is {now.describe()}"
        found = engine.differences(now, declared)
        reason = "; ".join(str(d) for d in found if d.in_place)  # the probe reports the others
        if reason:
            return reason
        return "is healthy again" if before["degraded"] else None


class Gate(Resource, module="dive", name="Gate"):
    """`ready` is the `address` of the container's published port; `degraded`: why an optional service is not healthy.

    `declared` is an `engines.declaration.Declared` as plain data; `deadline`: seconds to become healthy. A core
    service that does not become healthy fails the update, with its last log lines.
    """

    ready: pulumi.Output[str]
    degraded: pulumi.Output[str]
    container_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        container: str,
        container_id: pulumi.Input[str],
        address: str,
        service_class: str,
        declared: pulumi.Input[dict[str, Any]],
        deadline: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "container": container,
            "container_id": container_id,
            "service_class": service_class,
            "declared": declared,
            "deadline": deadline,
            "ready": address,
            "degraded": None,
        }
        super().__init__(GateProvider(), name, props, opts)
