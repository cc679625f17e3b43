"""The guard at the end of a stack: the first resource of a destroy, which it refuses before anything is deleted.

Pulumi's own protection of a volume stops a destroy only after everything that depends on the volume was deleted. A hub
that is destroyed before its spokes would leave link objects that cannot be deleted any more.
"""

from collections.abc import Sequence

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.config.naming import COUNTRY_LABEL
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.engines.engine import Engine
from dive_infra.results.remedy import Remedy


class GuardProvider(Provider):
    deploys = False  # it changes nothing

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["country"], {}

    def delete_resource(self, before: Inputs) -> None:
        others = _others(engines.connect(), before)
        if others:
            raise ProviderError(
                f"the hub is still in use by {', '.join(others)}; nothing was removed",
                Remedy.run(", ".join(f"pulumi destroy -s {code.lower()}" for code in others)),
            )
        stack = before["country"].lower()
        if before["protected"]:
            raise ProviderError(
                f"the data of {before['country']} is protected: {', '.join(before['protected'])}; nothing was removed",
                Remedy.decide(
                    f"to give it up: pulumi config set dive:disposable true -s {stack}, pulumi up -s {stack}, "
                    "destroy again"
                ),
            )


def _others(engine: Engine, before: Inputs) -> list[str]:
    """Return the other countries on the networks of the hub's links."""
    networks = before.get("network") or []
    if isinstance(networks, str):  # of the previous release: the one between all countries
        networks = [networks]
    attached = [user for network in networks for user in engine.attached(network)]
    return sorted({user.labels.get(COUNTRY_LABEL, user.name) for user in attached} - {before["country"]})


class Guard(Resource, module="dive", name="Guard"):
    """`protected`: data volumes; `network`: at the hub, those of its links. It must depend on all phases."""

    def __init__(
        self,
        name: str,
        country: str,
        protected: Sequence[str],
        network: Sequence[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"country": country, "protected": list(protected), "network": network}
        super().__init__(GuardProvider(), name, props, opts)
