"""DEPLOYMENT: the containers, each as soon as those that it needs are healthy, and the databases in Postgres."""

from typing import Any

import pulumi

from dive_infra.catalog.databases import databases
from dive_infra.catalog.keycloak import DATABASE as KEYCLOAK
from dive_infra.catalog.spec import Material, ServiceSpec
from dive_infra.checks import spec
from dive_infra.components.databases import Databases, DatabasesArgs
from dive_infra.components.service import Service, ServiceArgs
from dive_infra.components.storage import contents
from dive_infra.components.values import secret
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.orchestration import Admission, OrchestrationSchema
from dive_infra.dynamic.trust import TrustFile
from dive_infra.engines.docker import declaration
from dive_infra.orchestration.access import deployer
from dive_infra.orchestration.states import Phase as Name
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.initialization import InitializationPhase
from dive_infra.phases.preflight import PreflightPhase


class DeploymentPhase(PhaseComponent):
    """`services`: name -> its component; `databases` of the country's Postgres.

    `in_keycloak`: options of what stands in Keycloak.
    """

    def __init__(self, context: Context, after: InitializationPhase, before: PreflightPhase) -> None:
        super().__init__(context, "deployment", after)
        names = context.names
        trust = TrustFile("trust", context.trust_file, after.ca, self.child())
        volumes = after.storage.volumes
        # Who keeps databases in Postgres makes what is in them at its start.
        stores = {d.service: ("postgres",) for d in databases(context.is_hub)}
        self.services: dict[str, Service] = {}
        waits: dict[str, list[pulumi.Resource]] = {}
        for row in context.specs:
            service = Service(
                row.name,
                ServiceArgs(
                    row,
                    names,
                    before.mark,
                    self._material(row, after),
                    image=after.images[row.name],
                    networks=[network.network for network in after.networks],
                    begins_with=[
                        *(volumes[v].incarnation for v in (row.name, *stores.get(row.name, ())) if v in volumes),
                        *(self._incarnation(d.name) for d in databases(context.is_hub) if d.service == row.name),
                    ],
                    needs=[*(self.services[need].gate for need in row.needs), *waits.get(row.name, [])],
                ),
                self.child(),
            )
            self.services[row.name] = service
            if row.name == "postgres":
                owned = databases(context.is_hub)
                self.databases = Databases(
                    "databases",
                    DatabasesArgs(
                        names,
                        host=service.ready,
                        trust_file=trust.path,
                        superuser_password=after.secrets["postgres-superuser"],
                        ca=after.ca,
                        owners={d.name: (d.role, after.secrets[d.credential]) for d in owned},
                        remade=[d.name for d in owned if d.remade],
                    ),
                    pulumi.ResourceOptions.merge(self.child(), after.storage.inside("postgres")),
                )
                waits = {d.service: [self.databases.kept] for d in owned if d.service}
        # What stands in Keycloak is lost with its database too.
        lost = pulumi.Output.all(volumes["postgres"].incarnation, self._incarnation(KEYCLOAK))
        self.in_keycloak = contents(
            "keycloak-data", KEYCLOAK, lost.apply(lambda all_: 1000 * int(all_[0]) + int(all_[1])), self.child()
        )
        made: list[pulumi.Resource] = [service.gate for service in self.services.values()]
        if context.is_hub:
            made += self._orchestration(after)
        self.specification = self._specification(after)
        self.checkpoint = Checkpoint(
            "deployment-checkpoint",
            Name.DEPLOYMENT,
            names,
            self.specification,
            after.store,
            earlier=[before.checkpoint.proof, after.checkpoint.proof] if context.is_hub else (),
            opts=pulumi.ResourceOptions(parent=self, depends_on=made),
        )

    @staticmethod
    def _material(service: ServiceSpec, after: InitializationPhase) -> pulumi.Output[Material]:
        """Of its own secrets alone: what is new or unknown among the others is no change of this service."""
        certificate = after.certificate
        secrets = {name: after.secrets[name] for name in service.secrets}
        return secret(
            pulumi.Output.all(secrets=secrets, certificate=certificate.chain, key=certificate.key, ca=after.ca).apply(
                lambda found: Material(**found)
            )
        )

    def _incarnation(self, database: str) -> pulumi.Output[int]:
        """How often the database was lost and made anew."""
        found: pulumi.Output[int] = self.databases.kept.incarnations.apply(lambda all_: int(all_[database]))
        return found

    def _orchestration(self, after: InitializationPhase) -> list[pulumi.Resource]:
        """The orchestration database's schema, and a login in it for each country that the hub approves."""
        schema = OrchestrationSchema(
            "orchestration",
            after.store,
            self.inside(after, self.databases.kept),
        )
        made: list[pulumi.Resource] = [schema]
        roles = {
            code: self.databases.login(
                f"orchestration-{code.lower()}", deployer(code), grant.secrets["orchestration-deployer"]
            )
            for code, grant in after.grants.items()
        }
        passwords = {deployer(code): grant.secrets["orchestration-deployer"] for code, grant in after.grants.items()}
        logins = self.databases.keep("orchestration-logins", [*roles.values()], passwords)
        for code, role in roles.items():
            made.append(
                Admission(
                    f"admission-{code.lower()}",
                    code,
                    after.store,
                    # On the role itself too: `logins` stays when a country leaves, and its rights go before its role.
                    self.inside(after, schema, logins, role),
                )
            )
        return made

    def inside(self, after: InitializationPhase, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what stands in this country's Postgres: it goes with its volume, nobody has to be asked."""
        options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        return pulumi.ResourceOptions.merge(options, after.storage.inside("postgres"))

    def _specification(self, after: InitializationPhase) -> pulumi.Output[spec.DeploymentSpec]:
        context, names = self.context, self.context.names

        owned = databases(context.is_hub)
        asked = {"mongodb", "redis", "opa-token", "keycloak-admin", *(d.credential for d in owned)}

        def specification(found: dict[str, Any]) -> spec.DeploymentSpec:
            secrets = found["secrets"]
            return spec.DeploymentSpec(
                names,
                tuple(
                    spec.ContainerSpec(s.name, s.service_class, declaration.load(declared), files)
                    for s in context.specs
                    for declared, files in [found["containers"][s.name]]
                ),
                tuple(spec.DatabaseSpec(d.name, d.role, secrets[d.credential]) for d in owned),
                mongodb=secrets["mongodb"],
                redis=secrets["redis"],
                opa=secrets["opa-token"],
                keycloak=secrets["keycloak-admin"],
                ca=found["ca"],
                store=found["store"] if context.is_hub else None,
            )

        containers = {
            name: pulumi.Output.all(service.declared, service.files.digest) for name, service in self.services.items()
        }
        secrets = {name: after.secrets[name] for name in sorted(asked)}
        return secret(
            pulumi.Output.all(containers=containers, secrets=secrets, ca=after.ca, store=after.store).apply(
                specification
            )
        )
