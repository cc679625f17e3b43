"""The program of a stack: the six phases of one country, the hub's or a spoke's."""

import asyncio
from importlib import import_module

import pulumi

from dive_infra.components.approval import Grant, assumed, received
from dive_infra.config.settings import Settings
from dive_infra.dynamic.runtime.patches import send_registrations
from dive_infra.phases.base import Context
from dive_infra.phases.preflight import PreflightPhase
from dive_infra.stacks.guard import guard
from dive_infra.stacks.outputs import export


async def deploy(settings: Settings, stack: str) -> None:
    """Declare the country of `settings`: its phases in their order, its guard and its outputs.

    The hub grants each country that it approves its place in the coalition. A spoke starts from that grant, and owns
    both sides of its link to the hub.
    """
    context = Context(settings, stack, None if settings.is_hub else assumed() or _granted(settings))
    preflight = PreflightPhase(context)
    await asyncio.to_thread(load_phases)
    from dive_infra.phases.configuration import ConfigurationPhase
    from dive_infra.phases.deployment import DeploymentPhase
    from dive_infra.phases.initialization import InitializationPhase
    from dive_infra.phases.seeding import SeedingPhase
    from dive_infra.phases.verification import VerificationPhase

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
    await send_registrations()


def load_phases() -> None:
    """Load the phases after PREFLIGHT, and with them the packages of Pulumi's providers.

    That takes 0.6 s of processor time. `deploy` does it beside the event loop: meanwhile the engine starts our
    providers and diffs PREFLIGHT, which needs none of those packages.
    """
    for phase in ("initialization", "deployment", "configuration", "seeding", "verification"):
        import_module(f"dive_infra.phases.{phase}")


def _granted(settings: Settings) -> Grant:
    hub = pulumi.StackReference("hub", stack_name=settings.hub)
    return received(hub, settings.names, settings.hub)
