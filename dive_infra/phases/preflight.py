"""PREFLIGHT: whether this country may be deployed here and now. It declares no lasting resource."""

from typing import Any

import pulumi

from dive_infra.checks import spec
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.orphans import Orphans
from dive_infra.dynamic.stack_identity import StackIdentity
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent


class PreflightPhase(PhaseComponent):
    """A spoke's login at the hub's orchestration database proves that the hub runs and approves the country."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "preflight", None)
        # The label of everything that this stack owns, in every phase.
        self.mark = StackIdentity("identity", context.stack, self.child()).mark

        granted: list[pulumi.Output[Any]] = []
        store: pulumi.Output[DatabaseAccess] | None = None
        if context.grant:
            store = context.store(context.grant.secrets["orchestration-deployer"], context.grant.ca)
            granted = [pulumi.Output.from_input(context.grant.ca), store]

        def specification(mark: str, ca: str = "", store: DatabaseAccess | None = None) -> spec.PreflightSpec:
            services = tuple(s.name for s in context.specs)
            hub = None if context.is_hub else context.hub
            return spec.PreflightSpec(context.names, mark, services, ca, hub, store)

        orphans = Orphans("orphans", context.names, self.mark, store, self.child())
        self.checkpoint = Checkpoint(
            "preflight-checkpoint",
            Phase.PREFLIGHT,
            context.names,
            pulumi.Output.all(self.mark, *granted).apply(lambda found: specification(*found)),
            store,
            bootstrap=context.is_hub,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[orphans]),
        )
