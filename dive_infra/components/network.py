"""The network of a country."""

import pulumi
import pulumi_docker as docker

from dive_infra.config.naming import STACK_LABEL, Names
from dive_infra.dynamic.network_probe import NetworkProbe


class Network(pulumi.ComponentResource):
    """A bridge with a fixed name and its owner's labels, recreated when it is gone."""

    def __init__(
        self,
        name: str,
        network: str,
        names: Names,
        stack: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dive:components:Network", name, None, opts)
        labels = names.labels("network", "core") | {STACK_LABEL: stack}
        probe = NetworkProbe(f"{name}-probe", network, stack, pulumi.ResourceOptions(parent=self))
        self.network = docker.Network(
            f"{name}-network",
            name=network,
            driver="bridge",
            labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in labels.items()],
            opts=pulumi.ResourceOptions(
                parent=self, delete_before_replace=True, depends_on=[probe], replacement_trigger=probe.generation
            ),
        )
        self.register_outputs({"name": self.network.name})
