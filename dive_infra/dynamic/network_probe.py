"""The probe before a network: checks that it exists once, and that its labels name this stack.

Its `generation` is the network's replacement trigger. The gates connect their containers to the new network.
"""

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.engines.engine import ours_by_use
from dive_infra.process.crash_points import crash_point
from dive_infra.results.remedy import UP, Remedy

_SHORT = 12  # characters of an id that name an object by hand


class NetworkProbeProvider(Provider):
    replaces = ("network",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["network"], {"generation": 0}

    def drift_reason(self, before: Inputs) -> str | None:
        found = [network.stack for network in engines.connect().networks_named(before["network"])]
        if not found:
            return "does not exist"
        if len(found) > 1:
            return f"exists {len(found)} times"
        return None if found[0] == before["stack"] else f"is of stack {found[0] or '(none)'}"

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        if self.drift_reason(before) is None:
            return {"generation": before["generation"]}
        engine, stack = engines.connect(), before["stack"]
        for network in engine.networks_named(before["network"]):
            if network.stack != stack and not ours_by_use(engine, network, stack):
                short = network.id[:_SHORT]
                raise ProviderError(
                    f"network {network.name} ({short}) is of stack {network.stack or '(none)'}, not of {stack}",
                    Remedy.decide(f"{engine.removal_command('network', short)}, then: {UP}"),
                )
            with crash_point("remove network"):
                engine.remove_network(network.id)
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
