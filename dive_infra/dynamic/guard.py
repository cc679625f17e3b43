"""Stands at the end of a stack, so it is the first to go: refuses a destroy before anything is removed.

Pulumi's own protection of a volume stops a destroy only when everything in front of the volume is gone. And a hub that
is destroyed before its spokes would leave them with link objects that nobody can remove any more.
"""

from collections.abc import Sequence

import docker
import pulumi
from docker.errors import NotFound
from pulumi.dynamic import Resource

from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.engines.docker import engine
from dive_infra.results.remedy import Remedy


class GuardProvider(Provider):
    deploys = False  # it refuses, and changes nothing

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["country"], {}

    def delete_resource(self, before: Inputs) -> None:
        stack = before["country"].lower()
        if before["protected"]:
            raise ProviderError(
                f"the data of {before['country']} is protected: {', '.join(before['protected'])}; nothing was removed",
                Remedy.decide(
                    f"to give it up: pulumi config set dive:disposable true -s {stack}, pulumi up -s {stack}, "
                    "destroy again"
                ),
            )
        others = _others(engine.client(), before)
        if others:
            raise ProviderError(
                f"the hub is still in use by {', '.join(others)}; nothing was removed",
                Remedy.run(", ".join(f"pulumi destroy -s {code.lower()}" for code in others)),
            )


def _others(client: docker.DockerClient, before: Inputs) -> list[str]:
    """The countries, other than its owner, on the network between countries."""
    if not before.get("network"):
        return []
    try:
        attached = client.networks.get(before["network"]).containers
    except NotFound:
        return []
    return sorted({c.labels.get("dive.country", c.name or "") for c in attached} - {before["country"]})


class Guard(Resource, module="dive", name="Guard"):
    """`protected` are data volumes; `network` is, at the hub, the one between countries.

    Must depend on all phases.
    """

    def __init__(
        self,
        name: str,
        country: str,
        protected: Sequence[str],
        network: str | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"country": country, "protected": list(protected), "network": network}
        super().__init__(GuardProvider(), name, props, opts)
