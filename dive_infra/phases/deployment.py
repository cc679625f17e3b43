"""DEPLOYMENT: the containers, each as soon as those that it needs are healthy, and the databases in Postgres."""

import pulumi

from dive_infra.catalog.databases import databases
from dive_infra.catalog.spec import Material
from dive_infra.components.databases import Databases, DatabasesArgs
from dive_infra.components.service import Service, ServiceArgs
from dive_infra.dynamic.trust import TrustFile
from dive_infra.phases.base import Context, Phase
from dive_infra.phases.initialization import Initialization


class Deployment(Phase):
    """`services`: name -> its component; `databases` of the country's Postgres."""

    def __init__(self, context: Context, after: Initialization) -> None:
        super().__init__(context, "deployment", after)
        names = context.names
        material = pulumi.Output.secret(
            pulumi.Output.all(
                secrets=pulumi.Output.all(**after.secrets),
                certificate=after.certificate.chain,
                key=after.certificate.key,
                ca=after.ca,
            ).apply(lambda found: Material(**found))
        )
        trust = TrustFile("trust", context.trust_file, after.ca, self.child())
        self.services: dict[str, Service] = {}
        waits: dict[str, list[pulumi.Resource]] = {}
        for spec in context.specs:
            service = Service(
                spec.name,
                ServiceArgs(
                    spec,
                    names,
                    context.stack,
                    material,
                    image=after.images[spec.name],
                    networks=[network.network for network in after.networks],
                    data=after.storage.volumes.get(spec.name),
                    needs=[*(self.services[need].gate for need in spec.needs), *waits.get(spec.name, [])],
                ),
                self.child(),
            )
            self.services[spec.name] = service
            if spec.name == "postgres":
                owned = databases(context.is_hub)
                self.databases = Databases(
                    "databases",
                    DatabasesArgs(
                        names,
                        host=service.ready,
                        trust_file=trust.file,
                        superuser_password=after.secrets["postgres-superuser"],
                        owners={d.name: (d.role, after.secrets[d.credential]) for d in owned},
                        server_data=after.storage.volumes["postgres"],
                    ),
                    self.child(),
                )
                waits = {d.service: [self.databases.databases[d.name]] for d in owned if d.service}
