"""PREFLIGHT: whether this country may be deployed here and now. It declares no lasting resource."""

import pulumi

from dive_infra.checks import spec
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.orphans import Orphans
from dive_infra.dynamic.stack_identity import StackIdentity
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent


class PreflightPhase(PhaseComponent):
    """The first phases end before the country's Postgres exists; DEPLOYMENT records them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "preflight", None)
        # The label of everything that this stack owns, in every phase.
        self.mark = StackIdentity("identity", context.stack, self.child()).mark

        granted = [context.grant.ca] if context.grant else []

        def specification(mark: str, ca: str = "") -> spec.PreflightSpec:
            services = tuple(s.name for s in context.specs)
            return spec.PreflightSpec(context.names, mark, services, ca, None if context.is_hub else context.hub)

        orphans = Orphans("orphans", context.names, self.mark, self.child())
        self.checkpoint = Checkpoint(
            "preflight-checkpoint",
            Phase.PREFLIGHT,
            context.names,
            pulumi.Output.all(self.mark, *granted).apply(lambda found: specification(*found)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[orphans]),
        )
