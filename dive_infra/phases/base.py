"""What the six phases share: the country they deploy, their place in the row, and the checkpoint at their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from dive_infra.catalog.services import services
from dive_infra.catalog.spec import ServiceSpec
from dive_infra.naming import Names
from dive_infra.settings import Settings


@dataclass(frozen=True)
class Context:
    """The country that a stack deploys. `stack` is the stack's name, written on what it owns."""

    settings: Settings
    stack: str

    @cached_property
    def names(self) -> Names:
        return self.settings.names

    @cached_property
    def hub(self) -> Names:
        return self.settings.hub_names

    @property
    def is_hub(self) -> bool:
        return self.settings.is_hub

    @cached_property
    def specs(self) -> Sequence[ServiceSpec]:
        return services(self.names, self.hub, self.settings.partners, self.settings.images)

    @property
    def trust_file(self) -> str:
        """Where providers of this stack find the coalition's CA, relative to the program."""
        return f".dive/{self.names.prefix}-ca.pem"


class Phase(pulumi.ComponentResource):
    """A phase starts when the checkpoint of the one before it is there, and ends with its own."""

    checkpoint: pulumi.Resource

    def __init__(self, context: Context, name: str, after: "Phase | None") -> None:
        waits = pulumi.ResourceOptions(depends_on=[after.checkpoint]) if after else None
        super().__init__(f"dive:phases:{name.capitalize()}", name, None, waits)
        self.context = context

    def child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)
