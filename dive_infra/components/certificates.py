"""The coalition's root, at the hub, and the certificates that a country's own CA issues for its services."""

from collections.abc import Iterable, Sequence
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
    """The coalition's CA: a root certificate for each of `numbers`, of which the first one signs (`root`).

    Their keys never leave the hub's state. `certificates` (PEM) has all of them, the oldest first.
    """

    def __init__(
        self, name: str, names: Names, numbers: Sequence[int], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("dive:components:Authority", name, None, opts)
        roots = {number: self._root(name, names, number) for number in sorted(numbers)}
        self.root = roots[numbers[0]]
        self.certificates = pulumi.Output.all(*(root.chain for root in roots.values())).apply("".join)
        self.register_outputs({"certificate": self.certificates})

    def _root(self, name: str, names: Names, number: int) -> Certificate:
        """Return a root with a subject of its own, by which verifiers that trust two find the issuer."""
        resource, subject = f"{name}-root", f"DIVE coalition {names.namespace}"
        if number > 1:  # the first one is named as before there were others
            resource, subject = f"{resource}-{number}", f"{subject} {number}"
        return Certificate(resource, subject, authority=True, opts=pulumi.ResourceOptions(parent=self))


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
