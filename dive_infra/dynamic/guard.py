"""Stands at the end of the hub's stack, so it is the first to go: refuses while countries still depend on the hub.

Without it a destroyed hub would leave its spokes with link objects that nobody can remove any more.
"""

import pulumi
from docker.errors import NotFound
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider, Refused
from dive_infra.machine import engine


class HubGuardProvider(Provider):
    def make(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["network"], {}

    def remove(self, before: Inputs) -> None:
        client = engine.client()
        try:
            attached = client.networks.get(before["network"]).containers
        except NotFound:
            return
        others = sorted({c.labels.get("dive.country", c.name or "") for c in attached} - {before["country"]})
        if others:
            raise Refused(
                f"the hub is still in use on {before['network']} by {', '.join(others)}; nothing was removed; next: "
                + ", ".join(f"pulumi destroy -s {code.lower()}" for code in others)
            )


class HubGuard(Resource, module="dive", name="HubGuard"):
    """`network` is the one between countries; depends on everything that must stay while they use it."""

    def __init__(self, name: str, network: str, country: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(HubGuardProvider(), name, {"network": network, "country": country}, opts)
