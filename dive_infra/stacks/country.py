"""The phases after PREFLIGHT, in their order; what they declare loads the packages of all providers."""

import pulumi

from dive_infra.dynamic.runtime.patches import send_registrations
from dive_infra.phases.base import Context
from dive_infra.phases.configuration import ConfigurationPhase
from dive_infra.phases.deployment import DeploymentPhase
from dive_infra.phases.initialization import InitializationPhase
from dive_infra.phases.preflight import PreflightPhase
from dive_infra.phases.seeding import SeedingPhase
from dive_infra.phases.verification import VerificationPhase
from dive_infra.stacks.guard import guard
from dive_infra.stacks.outputs import export


async def declare(context: Context, preflight: PreflightPhase) -> None:
    """The other five phases; the hub gives each country that it approves its grant, a spoke stands on its own."""
    initialization = InitializationPhase(context, preflight)
    await send_registrations()
    deployment = DeploymentPhase(context, initialization, preflight)
    await send_registrations()
    configuration = ConfigurationPhase(context, deployment, initialization)
    seeding = SeedingPhase(context, configuration, initialization)
    phases = [preflight, initialization, deployment, configuration, seeding]
    verification = VerificationPhase(context, seeding, initialization, deployment, [p.completed for p in phases])

    guard(context, [*phases, verification])
    export(context, initialization, deployment, seeding, verification)
    if context.is_hub:
        grants = {code: grant.export() for code, grant in initialization.grants.items()}
        pulumi.export("grants", pulumi.Output.secret(grants))
    await send_registrations()
