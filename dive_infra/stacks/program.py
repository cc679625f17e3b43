"""The program of a stack: the six phases of one country, the hub's or a spoke's."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module

import pulumi

from dive_infra import engines
from dive_infra.catalog import national, policy
from dive_infra.config import environment
from dive_infra.config.settings import Settings
from dive_infra.dynamic.runtime.patches import send_registrations
from dive_infra.engines.engine import Endpoint, EngineError
from dive_infra.membership.place import Place, assumed, place_of
from dive_infra.membership.refusals import MembershipError
from dive_infra.phases.base import Context
from dive_infra.phases.preflight import PreflightPhase
from dive_infra.results.text import now
from dive_infra.stacks import retired_network
from dive_infra.stacks.guard import guard
from dive_infra.stacks.outputs import export
from dive_infra.toolchain import rego


async def deploy(settings: Settings, stack: str) -> None:
    """Declare the country of `settings`: its phases in their order, its guard and its outputs.

    The hub issues the coalition document from the requests of the countries that it approves; a spoke starts from that
    document. Each declares its own side of each of its links.
    """
    context = Context(settings, stack, _place(settings), _rules(settings), _engine(settings))
    preflight = PreflightPhase(context)
    await asyncio.to_thread(load_phases)
    context = replace(context, retired=await asyncio.to_thread(retired_network.in_use, context.names))
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


def _rules(settings: Settings) -> Mapping[str, str]:
    """Return the country's own rules, compiled where this machine has OPA; elsewhere OPA's gate refuses wrong ones."""
    try:
        rules = national.read(settings.rules)
        if rules:
            rego.compiled(policy.policies() | policy.local_modules({"opa-read": ""}, rules))
    except national.RulesRefused as error:
        raise pulumi.RunError(str(error)) from None
    except rego.NotRego as error:
        refused = national.refused(settings.rules, error.cause, "rules that OPA compiles")
        raise pulumi.RunError(str(refused)) from None
    return rules


def _engine(settings: Settings) -> Endpoint | None:
    """Have this process work with the engine of the settings, and return it; None if they leave it to the machine."""
    engines.select(settings.engine_selection)
    if not settings.engine:
        return None
    if environment.asks_no_engine():
        return Endpoint(settings.engine, "dive:engine", is_local=False, is_default=False)
    try:
        return engines.current()
    except EngineError as error:
        raise pulumi.RunError(str(error)) from None


def _place(settings: Settings) -> Place:
    """Return the country's place in the coalition; a preview that may not read its keys assumes one."""
    if environment.assumes_place() and pulumi.runtime.is_dry_run() and not settings.secrets:
        return assumed(settings)
    try:
        return place_of(settings, now())
    except MembershipError as error:
        raise pulumi.RunError(str(error)) from None  # which Pulumi shows without a traceback
