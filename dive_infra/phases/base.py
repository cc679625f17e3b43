"""What the six phases share: the country that they deploy, their order, and the checkpoint that ends each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pulumi

from dive_infra.catalog.services import links, services
from dive_infra.catalog.spec import ServiceSpec
from dive_infra.components.values import secret
from dive_infra.config.naming import Names
from dive_infra.config.settings import Settings
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.verification import VerificationCheckpoint
from dive_infra.engines.engine import Endpoint
from dive_infra.membership.place import Place
from dive_infra.orchestration.access import OWNER, DatabaseAccess


@dataclass(frozen=True)
class Context:
    """The country that a stack deploys, and its place in the coalition.

    `stack` is the stack's name, part of the label of everything that it owns. `rules` are the country's own, by code.
    `engine` is where it is deployed if its settings say so. `retired`, at the hub: the network of the previous release,
    while others are still on it (`stacks.retired_network`).
    """

    settings: Settings
    stack: str
    place: Place
    rules: Mapping[str, str]
    engine: Endpoint | None = None
    retired: tuple[str, ...] = ()

    @cached_property
    def names(self) -> Names:
        return self.place.names

    @cached_property
    def hub(self) -> Names:
        return self.place.hub

    @property
    def partners(self) -> Sequence[Names]:
        return self.place.partner_names

    @property
    def is_hub(self) -> bool:
        return self.settings.is_hub

    @cached_property
    def specs(self) -> Sequence[ServiceSpec]:
        place = self.place
        return services(self.names, self.hub, self.partners, self.settings.images, self.rules, place.agreements)

    def links(self, spec: ServiceSpec) -> dict[str, str]:
        """Return the networks between countries that a service is on, each with its name there."""
        retired = self.retired if spec.linked != "none" else ()
        found = links(spec, self.names, self.hub, self.partners)
        return found | dict.fromkeys(retired, self.names.host(spec.name))

    @property
    def link_networks(self) -> dict[str, dict[str, str]]:
        """Return the networks between countries, each with the country's containers on it and their names there."""
        found: dict[str, dict[str, str]] = {}
        for spec in self.specs:
            for network, alias in self.links(spec).items():
                found.setdefault(network, {})[self.names.container(spec.name)] = alias
        return found

    def store(self, password: pulumi.Input[str], ca: pulumi.Input[str]) -> pulumi.Output[DatabaseAccess]:
        """Return the login at the orchestration database of this country."""
        names = self.names
        return secret(
            pulumi.Output.all(password, ca).apply(lambda found: DatabaseAccess.of(names, OWNER, found[0], found[1]))
        )

    def administrator(self, client_secret: pulumi.Input[str], ca: pulumi.Input[str]) -> pulumi.Output[dict[str, Any]]:
        """Return the fields of `identity.keycloak_admin.KeycloakAccess` to this country's Keycloak."""
        url = f"https://{self.names.published}:{self.names.port('keycloak')}"
        return secret(
            pulumi.Output.all(client_secret, ca).apply(
                lambda found: {"url": url, "client_secret": found[0], "ca": found[1]}
            )
        )

    @property
    def trust_file(self) -> str:
        """Return the path of the coalition's CA for this stack's providers, relative to the program."""
        return f".dive/{self.names.prefix}-ca.pem"


class PhaseComponent(pulumi.ComponentResource):
    """A phase: it waits for the checkpoint of the phase before it, and ends with its own.

    `plugins` are the explicit providers of all phases, which the first one declares.
    """

    checkpoint: Checkpoint | VerificationCheckpoint

    def __init__(self, context: Context, name: str, after: "PhaseComponent | None") -> None:
        self.plugins: list[pulumi.ProviderResource] = after.plugins if after else []
        waits = pulumi.ResourceOptions(depends_on=[after.checkpoint], providers=after.plugins) if after else None
        super().__init__(f"dive:phases:{name.capitalize()}", name, None, waits)
        self.context = context

    @property
    def end(self) -> pulumi.Resource:
        """Return the last resource of the phase."""
        return self.checkpoint

    @property
    def completed(self) -> pulumi.Output[str]:
        """Return when the phase was last completed (ISO 8601); it changes whenever the phase runs."""
        return self.checkpoint.completed

    def child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)
