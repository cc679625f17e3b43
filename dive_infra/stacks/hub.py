"""The hub's stack, `usa`."""

import pulumi

from dive_infra.phases.base import Context, under_way
from dive_infra.phases.configuration import Configuration
from dive_infra.phases.deployment import Deployment
from dive_infra.phases.initialization import Initialization
from dive_infra.phases.preflight import Preflight
from dive_infra.phases.seeding import Seeding
from dive_infra.phases.verification import Verification
from dive_infra.settings import Settings
from dive_infra.stacks.guard import guard
from dive_infra.stacks.outputs import export


async def hub(settings: Settings, stack: str) -> None:
    """The six phases of the hub; gives each country it approves its grant."""
    context = Context(settings, stack)
    preflight = Preflight(context)
    await under_way()
    initialization = Initialization(context, preflight)
    await under_way()
    deployment = Deployment(context, initialization, preflight)
    await under_way()
    configuration = Configuration(context, deployment, initialization)
    seeding = Seeding(context, configuration, initialization)
    phases = [preflight, initialization, deployment, configuration, seeding]
    verification = Verification(context, seeding, initialization, deployment, [p.completed for p in phases])

    guard(context, [*phases, verification])
    export(context, initialization, deployment, seeding, verification)
    grants = {code: grant.export() for code, grant in initialization.grants.items()}
    pulumi.export("grants", pulumi.Output.secret(grants))
    await under_way()
