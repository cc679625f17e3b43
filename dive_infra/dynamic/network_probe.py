"""The probe before a network: checks that it exists once, and that its labels name this stack.

Its `generation` is the network's replacement trigger. The gates connect their containers to the new network.
"""

import pulumi
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.networks import called, mark, ours_by_use
from dive_infra.process.crash_points import crash_point
from dive_infra.results.remedy import UP, Remedy


class NetworkProbeProvider(Provider):
    replaces = ("network",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["network"], {"generation": 0}

    def drift_reason(self, before: Inputs) -> str | None:
        found = [mark(network) for network in called(engine.client(), before["network"])]
        if not found:
            return "does not exist"
        if len(found) > 1:
            return f"exists {len(found)} times"
        return None if found[0] == before["stack"] else f"is of stack {found[0] or '(none)'}"

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        if self.drift_reason(before) is None:
            return {"generation": before["generation"]}
        stack = before["stack"]
        for network in called(engine.client(), before["network"]):
            if mark(network) != stack and not ours_by_use(network, stack):
                raise ProviderError(
                    f"network {network.name} ({network.short_id}) is of stack {mark(network) or '(none)'}, not of "
                    f"{stack}",
                    Remedy.decide(f"docker network rm {network.short_id}, then: {UP}"),
                )
            with crash_point("remove network"):
                for container in network.containers:
                    network.disconnect(container, force=True)
                network.remove()
        return {"generation": int(before["generation"]) + 1}


class NetworkProbe(Resource, module="dive", name="NetworkProbe"):
    """`stack`: the mark of the stack that owns the network."""

    generation: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        network: str,
        stack: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(NetworkProbeProvider(), name, {"network": network, "stack": stack, "generation": None}, opts)
