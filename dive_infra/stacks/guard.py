"""The last resource of every stack, and so the first that a destroy reaches."""

from collections.abc import Sequence

import pulumi

from dive_infra.dynamic.guard import Guard
from dive_infra.phases.base import Context, PhaseComponent


def guard(context: Context, phases: Sequence[PhaseComponent]) -> None:
    """Declare the guard, which refuses a destroy that would lose data or strand a spoke; it depends on every phase."""
    names = context.names
    data = [names.data_volume(s.name) for s in context.specs if s.data]
    Guard(
        "guard",
        names.country.code,
        [] if context.settings.disposable else data,
        [*map(names.link_network, context.partners), *context.retired] if context.is_hub else None,
        pulumi.ResourceOptions(parent=phases[-1], depends_on=[*phases[:-1], phases[-1].end]),
    )
