"""PREFLIGHT: whether this country may be deployed here and now. It declares no lasting resource."""

import pulumi

from dive_infra.checks import spec
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.coalition import Membership
from dive_infra.dynamic.orphans import Orphans
from dive_infra.dynamic.stack_identity import StackIdentity
from dive_infra.membership.fields import moment_text
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent


class PreflightPhase(PhaseComponent):
    """The first phases end before the country's Postgres exists; DEPLOYMENT records them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "preflight", None)
        if context.engine:
            # It loads Pulumi's package for Docker, which this phase does not need otherwise.
            from dive_infra.components.engine import plugin

            self.plugins.append(plugin("engine", context.engine, self.child()))
        # The label of everything that this stack owns, in every phase.
        self.mark = StackIdentity("identity", context.stack, self.child()).mark
        names, coalition = context.names, context.place.coalition
        made: list[pulumi.Resource] = [Orphans("orphans", names, self.mark, self.child())]
        if coalition:
            made.append(Membership("membership", names.country.code, coalition, self.child()))
        ca = "".join(coalition.authorities) if coalition else ""
        expires = moment_text(coalition.expires) if coalition else ""

        def specification(mark: str) -> spec.PreflightSpec:
            services = tuple(s.name for s in context.specs)
            hub, links, ends = context.hub if coalition else None, tuple(context.link_networks), context.place.ends
            return spec.PreflightSpec(names, mark, services, ca, hub, expires=expires, ends=ends, links=links)

        self.checkpoint = Checkpoint(
            "preflight-checkpoint",
            Phase.PREFLIGHT,
            names,
            self.mark.apply(specification),
            opts=pulumi.ResourceOptions(parent=self, depends_on=made),
        )
