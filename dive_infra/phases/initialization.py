"""INITIALIZATION: networks, data volumes, secrets, certificates and images, which services need."""

import pulumi

from dive_infra.checks import spec
from dive_infra.components.approval import Approval, Grant
from dive_infra.components.certificates import Authority, CountryCertificate
from dive_infra.components.network import Network
from dive_infra.components.secrets import Secrets
from dive_infra.components.storage import Storage
from dive_infra.config.credentials import own
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.image import Image
from dive_infra.images.recipes import recipe_hash
from dive_infra.images.registry import locked
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.preflight import PreflightPhase


class InitializationPhase(PhaseComponent):
    """`secrets` (own and granted), `certificates`, `networks`, `storage` and `images` of the country.

    A spoke also has the `hub_key` of its grant. The hub has no grant: it creates the coalition's authority, and the
    `grants` of the countries that it approves.
    """

    def __init__(self, context: Context, after: PreflightPhase) -> None:
        super().__init__(context, "initialization", after)
        names, stack, grant = context.names, after.mark, context.grant
        secrets = Secrets("secret", own(context.is_hub), context.settings.secrets, self.child())
        self.public_keys = secrets.public
        self.grants: dict[str, Grant] = {}
        if grant is None:
            authority = Authority("authority", names, self.child())
            self.ca: pulumi.Input[str] = authority.certificate
            self.hub_key: pulumi.Input[str] = ""
            self.secrets = secrets.values
            issuer = authority.issuer_of(names)
            for partner in context.settings.partners:
                approval = Approval(f"approval-{partner.country.lower}", partner, authority, secrets, self.child())
                self.grants[partner.country.code] = approval.grant
        else:
            self.ca, issuer, self.hub_key = grant.ca, grant.issuer, grant.hub_key
            self.secrets = {**grant.secrets, **secrets.values}
        self.networks = [Network("network", names.network, names, stack, self.child())]
        if context.is_hub:
            self.networks.append(Network("shared-network", names.shared_network, names, stack, self.child()))
        self.storage = Storage("data", names, stack, context.specs, context.settings.disposable, self.child())
        self.certificates = CountryCertificate("tls", names, [s.name for s in context.specs], issuer, self.child())
        self.images = {
            s.name: Image(f"image-{s.name}", s.name, locked(s.image), recipe_hash(s.name), self.child())
            for s in context.specs
        }
        self.store = context.store(self.secrets["orchestration-db"], self.ca)
        made = [*self.networks, self.storage, self.certificates, *self.images.values()]
        self.checkpoint = Checkpoint(
            "initialization-checkpoint",
            Phase.INITIALIZATION,
            names,
            pulumi.Output.all(
                images=[image.image_id for image in self.images.values()],
                certificates=self.certificates.chains,
                ca=self.ca,
                stack=stack,
                # A newly approved country changes the declaration, so the phase is proven again.
                issuers={code: made.issuer.chain for code, made in self.grants.items()},
            ).apply(
                lambda found: spec.InitializationSpec(
                    names,
                    found["stack"],
                    networks=tuple(sorted({names.network, names.shared_network})),
                    volumes=tuple(names.data_volume(s.name) for s in context.specs if s.data),
                    images=tuple(found["images"]),
                    certificates=found["certificates"],
                    ca=found["ca"],
                    issuers=found["issuers"],
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=made),
        )
