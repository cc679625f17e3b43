"""DEPLOYMENT: the containers, each once those that it needs are healthy, and the databases in Postgres."""

from typing import Any

import pulumi

from dive_infra.catalog import policy
from dive_infra.catalog.databases import DATABASES
from dive_infra.catalog.keycloak import DATABASE as KEYCLOAK
from dive_infra.catalog.policy import OPA_TOKENS, local_modules
from dive_infra.catalog.spec import Material, ServiceSpec
from dive_infra.checks import spec
from dive_infra.components.databases import Databases, DatabasesArgs
from dive_infra.components.service import Service, ServiceArgs
from dive_infra.components.storage import contents
from dive_infra.components.values import secret
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.orchestration import OrchestrationSchema
from dive_infra.dynamic.trust import TrustFile
from dive_infra.engines import declaration
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.initialization import InitializationPhase
from dive_infra.phases.preflight import PreflightPhase


class DeploymentPhase(PhaseComponent):
    """`services`: name -> its component; `databases` of the country's Postgres.

    `in_keycloak`: options of what is stored in Keycloak.
    """

    databases: Databases

    def __init__(self, context: Context, after: InitializationPhase, before: PreflightPhase) -> None:
        super().__init__(context, "deployment", after)
        self._base, self._mark = after, before.mark
        trust = TrustFile("trust", context.trust_file, after.ca, self.child())
        self.services: dict[str, Service] = {}
        for row in context.specs:
            self.services[row.name] = self._service(row)
            if row.name == "postgres":  # the services after it start only with their databases
                self.databases = self._databases(self.services[row.name], trust)
        self.in_keycloak = self._keycloak_data()
        schema = OrchestrationSchema("orchestration", after.store, self.inside(after, self.databases.kept))
        self.specification = self._specification(after)
        self.checkpoint = Checkpoint(
            "deployment-checkpoint",
            Phase.DEPLOYMENT,
            context.names,
            self.specification,
            after.store,
            earlier=[before.checkpoint.proof, after.checkpoint.proof],
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*(service.gate for service in self.services.values()), schema]
            ),
        )

    def _service(self, row: ServiceSpec) -> Service:
        """Create a service whose container waits for its databases, and starts again with its data if that is lost."""
        base, volumes = self._base, self._base.storage.volumes
        own = [d.name for d in DATABASES if d.service == row.name]
        stored_in = [row.name, "postgres"] if own else [row.name]
        lost = [volumes[name].incarnation for name in stored_in if name in volumes]
        needs = [self.services[need].gate for need in row.needs]
        return Service(
            row.name,
            ServiceArgs(
                row,
                self.context.names,
                self._mark,
                self._material(row, base),
                image=base.images[row.name],
                networks=[network.network for network in base.networks],
                links=self.context.links(row),
                coalition=base.coalition if policy.COALITION in row.live else "",
                begins_with=[*lost, *map(self._incarnation, own)],
                needs=[*needs, self.databases.kept] if own else needs,
            ),
            self.child(),
        )

    def _databases(self, postgres: Service, trust: TrustFile) -> Databases:
        secrets = self._base.secrets
        args = DatabasesArgs(
            self.context.names,
            host=postgres.ready,
            trust_file=trust.path,
            superuser_password=secrets["postgres-superuser"],
            ca=self._base.ca,
            owners={d.name: (d.role, secrets[d.credential]) for d in DATABASES},
            remade=[d.name for d in DATABASES if d.remade],
        )
        options = pulumi.ResourceOptions.merge(self.child(), self._base.storage.inside("postgres"))
        return Databases("databases", args, options)

    def _keycloak_data(self) -> pulumi.ResourceOptions:
        """Return the options of what is stored in Keycloak: it is lost with the volume, and with the database alone."""
        volume = self._base.storage.volumes["postgres"]
        lifetime = pulumi.Output.all(volume.incarnation, self._incarnation(KEYCLOAK)).apply(
            lambda both: _lifetime(int(both[0]), int(both[1]))
        )
        return contents("keycloak-data", KEYCLOAK, lifetime, self.child())

    def _material(self, service: ServiceSpec, after: InitializationPhase) -> pulumi.Output[Material]:
        """Return what its files are written from: its own secrets only, as a change of another must not change it."""
        certificate = after.certificates.services[service.name]
        secrets = {name: after.secrets[name] for name in service.secrets}
        return secret(
            pulumi.Output.all(
                secrets=secrets,
                certificate=certificate.chain,
                key=certificate.key,
                ca=after.ca,
                policy_keys=dict(self.context.place.policy_keys),
            ).apply(lambda found: Material(**found))
        )

    def _incarnation(self, database: str) -> pulumi.Output[int]:
        """Return how often the database was lost and recreated."""
        found: pulumi.Output[int] = self.databases.kept.incarnations.apply(lambda all_: int(all_[database]))
        return found

    def inside(self, after: InitializationPhase, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of what is stored in this country's Postgres, which is deleted with the volume."""
        options = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
        return pulumi.ResourceOptions.merge(options, after.storage.inside("postgres"))

    def _specification(self, after: InitializationPhase) -> pulumi.Output[spec.DeploymentSpec]:
        context, names = self.context, self.context.names

        asked = {"mongodb", "redis", *OPA_TOKENS, "keycloak-admin", *(d.credential for d in DATABASES)}

        def specification(found: dict[str, Any]) -> spec.DeploymentSpec:
            secrets = found["secrets"]
            return spec.DeploymentSpec(
                names,
                tuple(
                    spec.ContainerSpec(s.name, s.service_class, declaration.load(declared), files)
                    for s in context.specs
                    for declared, files in [found["containers"][s.name]]
                ),
                tuple(spec.DatabaseSpec(d.name, d.role, secrets[d.credential]) for d in DATABASES),
                mongodb=secrets["mongodb"],
                redis=secrets["redis"],
                opa=secrets["opa-read"],
                keycloak=secrets["keycloak-admin"],
                ca=found["ca"],
                store=found["store"],
                opa_local=local_modules({name: secrets[name] for name in OPA_TOKENS}, context.rules),
                hub=context.hub,
                links=context.link_networks,
            )

        containers = {
            name: pulumi.Output.all(service.declared, service.files_digest) for name, service in self.services.items()
        }
        secrets = {name: after.secrets[name] for name in sorted(asked)}
        return secret(
            pulumi.Output.all(containers=containers, secrets=secrets, ca=after.ca, store=after.store).apply(
                specification
            )
        )


def _lifetime(volume: int, database: int) -> int:
    """Return one number for two incarnations. States hold it: another form would replace everything in the realm."""
    return 1000 * volume + database
