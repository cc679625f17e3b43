"""A spoke's stack, such as `fra`."""

import pulumi

from dive_infra.components.approval import Grant, assumed, received
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


async def spoke(settings: Settings, stack: str) -> None:
    """The six phases of a spoke, on what the hub granted it; owns both sides of its link."""
    context = Context(settings, stack, assumed() or _granted(settings))
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
    await under_way()


def _granted(settings: Settings) -> Grant:
    hub = pulumi.StackReference("hub", stack_name=settings.hub)
    return received(hub, settings.names, settings.hub)
