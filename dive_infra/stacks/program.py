"""The program of a stack: the hub, or a spoke on what the hub granted it."""

import asyncio
from importlib import import_module

import pulumi

from dive_infra.components.approval import Grant, assumed, received
from dive_infra.config.settings import Settings
from dive_infra.phases.base import Context
from dive_infra.phases.preflight import PreflightPhase


async def deploy(settings: Settings, stack: str) -> None:
    """The six phases of the country. A spoke owns both sides of its link."""
    context = Context(settings, stack, None if settings.is_hub else assumed() or _granted(settings))
    preflight = PreflightPhase(context)
    # Loaded beside the loop, which meanwhile has the engine start our providers and look at PREFLIGHT: half a second.
    country = await asyncio.to_thread(import_module, "dive_infra.stacks.country")
    await country.declare(context, preflight)


def _granted(settings: Settings) -> Grant:
    hub = pulumi.StackReference("hub", stack_name=settings.hub)
    return received(hub, settings.names, settings.hub)
