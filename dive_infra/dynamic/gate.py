"""Stands after a container and opens when it runs and is healthy; starts it when it does not run.

`container_id` is echoed and so known in previews; `ready` is computed, so that providers fed from it are not
configured, and do not connect, before the gate has been open.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.machine import engine
from dive_infra.machine.containers import ContainerFailed, await_healthy, limit_processes, look, start
from dive_infra.naming import LOOPBACK


class GateProvider(Provider):
    replaces = ("container",)

    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        client, name = engine.client(), inputs["container"]
        degraded = ""
        try:
            if not look(client, name).running:
                start(client, name)
            await_healthy(client, name, float(inputs["deadline"]))
            limit_processes(client, name, int(inputs["processes"]))
        except ContainerFailed as error:
            if inputs["service_class"] == "core":
                raise
            degraded = str(error).splitlines()[0]
            tell(f"warning: {inputs['service_class']} service {error}")
        return name, {"ready": LOOPBACK, "degraded": degraded}

    def drift(self, before: Inputs) -> str | None:
        now = look(engine.client(), before["container"])
        if not now.healthy:
            return f"is {now.describe()}"
        if now.processes != int(before["processes"]):
            return f"its limit of processes is {now.processes}, declared is {int(before['processes'])}"
        return "is healthy again" if before["degraded"] else None


class Gate(Resource, module="dive", name="Gate"):
    """`ready` is the address of the container's published port; `degraded` why an optional service is not healthy.

    `deadline`: seconds to become healthy. A core service that fails fails the update, with its last log lines.
    """

    ready: pulumi.Output[str]
    degraded: pulumi.Output[str]
    container_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        container: str,
        container_id: pulumi.Input[str],
        service_class: str,
        processes: int,
        deadline: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "container": container,
            "container_id": container_id,
            "service_class": service_class,
            "processes": processes,
            "deadline": deadline,
            "ready": None,
            "degraded": None,
        }
        super().__init__(GateProvider(), name, props, opts)
