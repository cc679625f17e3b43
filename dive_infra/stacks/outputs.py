"""What a stack tells the world: a contract, held by a test."""

import pulumi

from dive_infra.phases.base import Context
from dive_infra.phases.deployment import DeploymentPhase
from dive_infra.phases.initialization import InitializationPhase
from dive_infra.phases.seeding import SeedingPhase
from dive_infra.phases.verification import VerificationPhase

_URLS = ("frontend", "backend", "keycloak", "kas", "opa")


def export(
    context: Context,
    base: InitializationPhase,
    deployed: DeploymentPhase,
    seeded: SeedingPhase,
    verified: VerificationPhase,
) -> None:
    names = context.names
    pulumi.export("instance", names.country.code)
    pulumi.export("realm", names.realm)
    pulumi.export("urls", {service: names.url(service) for service in _URLS})
    pulumi.export("containers", {names.container(n): service.container_id for n, service in deployed.services.items()})
    pulumi.export("ca_certificate", base.ca)
    pulumi.export("test_users", seeded.test_users)
    pulumi.export("test_user_password", pulumi.Output.secret(base.secrets["test-users"]))
    proof = verified.proof
    pulumi.export("verification", {"status": proof.status, "proven": proof.evidence, "at": proof.completed})
