"""INITIALIZATION: networks, data volumes, secrets, certificates and images, which services need."""

from collections.abc import Mapping

import pulumi

from dive_infra.checks import spec
from dive_infra.components.certificates import Authority, CountryCertificate, IssuedBy
from dive_infra.components.network import Network
from dive_infra.components.secrets import Secrets
from dive_infra.components.storage import Storage
from dive_infra.components.values import unknown
from dive_infra.config.credentials import PROBES, Credential, own
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.coalition import CoalitionDocument, MemberAuthority
from dive_infra.dynamic.image import Image
from dive_infra.dynamic.secret import GeneratedSecret
from dive_infra.images.recipes import recipe_hash
from dive_infra.images.registry import locked
from dive_infra.membership.files import content
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.preflight import PreflightPhase


class InitializationPhase(PhaseComponent):
    """`secrets`, `certificates`, `networks`, `storage` and `images` of the country.

    `ca` is the coalition's (PEM; two while it is `rotating`), `issuer` the country's own, which the coalition signed.
    The hub also has the coalition's root, and issues the `coalition` document.
    """

    def __init__(self, context: Context, after: PreflightPhase) -> None:
        super().__init__(context, "initialization", after)
        names, stack, place = context.names, after.mark, context.place
        secrets = Secrets("secret", own(context.is_hub), place.secrets, self.child())
        self.public_keys, self.secrets = secrets.public, secrets.values
        issued_to = (names.country.code, *(partner.country.code for partner in context.partners))
        self.probes = {code: self._probe(PROBES[code]) for code in issued_to}
        self.coalition: pulumi.Input[str] = ""
        issuers: Mapping[str, pulumi.Input[str]] = {}
        if context.is_hub:
            authority = Authority("authority", names, context.settings.authorities, self.child())
            root = authority.root.chain, authority.root.key
            issuers = {
                code: MemberAuthority(f"ca-{code.lower()}", asked, root, self.child()).certificate
                for code, asked in place.requests.items()
            }
            document = CoalitionDocument(
                "coalition",
                names.namespace,
                {code: content(code).decode() for code in place.requests},
                issuers,
                place.agreements,
                authority.certificates,
                self.secrets["coalition-key"],
                self.child(),
            )
            self.ca: pulumi.Input[str] = authority.certificates
            self.coalition = document.text
            self.issuer: pulumi.Input[str] = issuers.get(names.country.code, unknown())
            self.rotating = len(context.settings.authorities) > 1
        elif place.coalition and place.member:
            self.ca, self.issuer = "".join(place.coalition.authorities), place.member.certificate
            self.rotating = len(place.coalition.authorities) > 1
        else:
            self.ca = self.issuer = unknown()
            self.rotating = False
        signer = IssuedBy(self.issuer, self.secrets["ca-key"])
        self.networks = [Network("network", names.network, names, stack, self.child())]
        self.networks += [Network("shared-network", name, names, stack, self.child()) for name in context.retired]
        self.storage = Storage("data", names, stack, context.specs, context.settings.disposable, self.child())
        self.certificates = CountryCertificate("tls", names, [s.name for s in context.specs], signer, self.child())
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
                issuers=issuers,
            ).apply(
                lambda found: spec.InitializationSpec(
                    names,
                    found["stack"],
                    networks=(names.network,),
                    volumes=tuple(names.data_volume(s.name) for s in context.specs if s.data),
                    images=tuple(found["images"]),
                    certificates=found["certificates"],
                    ca=found["ca"],
                    issuers=found["issuers"],
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=made),
        )

    def _probe(self, credential: Credential) -> pulumi.Output[str]:
        """Return the password of a probe person: the given one, else one that is generated once."""
        if given := self.context.place.secrets.get(credential.name):
            return pulumi.Output.secret(given.get_secret_value())
        return GeneratedSecret(credential.name, credential.kind, self.child()).value
