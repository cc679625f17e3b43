"""PREFLIGHT: may this country be deployed here and now? Declares nothing that lasts."""

import pulumi

from dive_infra.checks import spec
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.orchestration.access import Access
from dive_infra.orchestration.states import Phase as Name
from dive_infra.phases.base import Context, Phase


class Preflight(Phase):
    """At a spoke the login at the hub's orchestration database proves that the hub is up and approves the country."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "preflight", None)
        given = {name: value.get_secret_value() for name, value in context.settings.secrets.items()}

        def specification(ca: str = "", store: Access | None = None) -> spec.Preflight:
            services = tuple(s.name for s in context.specs)
            hub = None if context.is_hub else context.hub
            return spec.Preflight(context.names, context.stack, services, given, ca, hub, store)

        wanted: pulumi.Input[spec.Preflight] = specification()
        store: pulumi.Output[Access] | None = None
        if context.grant:
            store = context.store(context.grant.secrets["orchestration-deployer"], context.grant.ca)
            wanted = pulumi.Output.all(context.grant.ca, store).apply(lambda found: specification(*found))
        self.checkpoint = Checkpoint(
            "preflight-checkpoint",
            Name.PREFLIGHT,
            context.names,
            wanted,
            store,
            bootstrap=context.is_hub,
            opts=self.child(),
        )
