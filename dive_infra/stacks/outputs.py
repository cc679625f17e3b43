"""The outputs of a stack: an interface for other stacks, for `./dive` and for people; a test holds their names."""

from typing import TYPE_CHECKING

import pulumi

from dive_infra.crypto import pki
from dive_infra.membership import keys
from dive_infra.phases.base import Context

if TYPE_CHECKING:  # loaded late, by `stacks.program`
    from dive_infra.phases.deployment import DeploymentPhase
    from dive_infra.phases.initialization import InitializationPhase
    from dive_infra.phases.seeding import SeedingPhase
    from dive_infra.phases.verification import VerificationPhase

_URLS = ("frontend", "backend", "keycloak", "kas", "opa")


def export(
    context: Context,
    initialization: "InitializationPhase",
    deployment: "DeploymentPhase",
    seeding: "SeedingPhase",
    verification: "VerificationPhase",
) -> None:
    """Export the outputs; the hub's name its coalition, for those who pin its key."""
    names = context.names
    pulumi.export("instance", names.country.code)
    pulumi.export("realm", names.realm)
    pulumi.export("urls", {service: names.url(service) for service in _URLS})
    containers = {names.container(name): service.container_id for name, service in deployment.services.items()}
    pulumi.export("containers", containers)
    pulumi.export("ca_certificate", initialization.ca)
    pulumi.export("test_users", seeding.test_users)
    pulumi.export("cut", list(context.settings.cut))
    if context.settings.test_users:
        pulumi.export("test_user_password", pulumi.Output.secret(initialization.secrets["test-users"]))
    proof = verification.proof
    pulumi.export("verification", {"status": proof.status, "proven": proof.evidence, "at": proof.completed})
    if context.is_hub:
        pulumi.export("coalition", pulumi.Output.from_input(initialization.coalition))
        key = initialization.secrets["coalition-key"].apply(lambda held: keys.public_text(pki.private_keys(held)[-1]))
        pulumi.export("coalition_key", pulumi.Output.unsecret(key))
