"""The coalition's root, at the hub, and the certificates that a country's own CA issues for its services."""

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi

from dive_infra.config.naming import Names
from dive_infra.dynamic.certificate import Certificate


@dataclass
class IssuedBy:
    """The authority that signs: its `chain` (PEM) and its `key` (PEM, secret)."""

    chain: pulumi.Input[str]
    key: pulumi.Input[str]


class Authority(pulumi.ComponentResource):
    """The coalition's root certificate; its key never leaves the hub's state."""

    def __init__(self, name: str, names: Names, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:Authority", name, None, opts)
        self.root = Certificate(
            f"{name}-root",
            f"DIVE coalition {names.namespace}",
            authority=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.certificate = self.root.chain
        self.register_outputs({"certificate": self.certificate})


class CountryCertificate(pulumi.ComponentResource):
    """The certificates of a country: for each service one with a key of its own, for its host."""

    def __init__(
        self,
        name: str,
        names: Names,
        services: Iterable[str],
        issuer: IssuedBy,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dive:components:CountryCertificate", name, None, opts)
        self.services = {
            service: Certificate(
                f"{name}-{service}",
                names.host(service),
                names=names.certified(service),
                issuer_chain=issuer.chain,
                issuer_key=issuer.key,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for service in services
        }
        self.chains = {service: certificate.chain for service, certificate in self.services.items()}
        self.register_outputs({"chains": self.chains})
