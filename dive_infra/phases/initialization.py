"""INITIALIZATION: what the services stand on: networks, data volumes, secrets, certificates, images."""

import pulumi

from dive_infra.components.certificates import CountryCertificate, IssuedBy
from dive_infra.components.network import Network
from dive_infra.components.secrets import Secrets
from dive_infra.components.storage import Storage
from dive_infra.dynamic.image import Image
from dive_infra.machine.recipes import recipe_hash
from dive_infra.phases.base import Context, Phase


class Initialization(Phase):
    """`secrets`, `certificate`, `networks`, `storage` and `images` of the country."""

    def __init__(self, context: Context, after: Phase, secrets: Secrets, issuer: IssuedBy, ca: pulumi.Input[str]) -> None:
        super().__init__(context, "initialization", after)
        names, stack = context.names, context.stack
        self.ca = ca
        self.secrets = secrets
        self.networks = [Network("network", names.network, names, stack, self.child())]
        if context.is_hub:
            self.networks.append(Network("shared-network", names.shared_network, names, stack, self.child()))
        self.storage = Storage("data", names, stack, context.specs, context.settings.disposable, self.child())
        self.certificate = CountryCertificate("tls", names, issuer, self.child())
        self.images = {
            service: Image(f"image-{service}", service, reference, recipe_hash(service), self.child())
            for service, reference in [(s.name, s.image) for s in context.specs]
        }
