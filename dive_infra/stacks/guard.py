"""What every stack ends with."""

from collections.abc import Sequence

import pulumi

from dive_infra.dynamic.guard import Guard
from dive_infra.phases.base import Context, PhaseComponent


def guard(context: Context, phases: Sequence[PhaseComponent]) -> None:
    """Lets a destroy begin only where nothing is lost by it: depends on every phase, so it goes first."""
    names = context.names
    data = [names.data_volume(s.name) for s in context.specs if s.data]
    Guard(
        "guard",
        names.country.code,
        [] if context.settings.disposable else data,
        names.shared_network if context.is_hub else None,
        pulumi.ResourceOptions(parent=phases[-1], depends_on=[*phases[:-1], phases[-1].end]),
    )
