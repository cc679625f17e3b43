"""SEEDING: the people whom the country declares, the data of its services and policies, and what it publishes."""

import pulumi

from dive_infra.checks import spec
from dive_infra.components.values import secret
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.publication import Publication, PublicationArgs
from dive_infra.dynamic.seed import Seed
from dive_infra.dynamic.users import ProbePersons, TestUsers
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.configuration import ConfigurationPhase
from dive_infra.phases.initialization import InitializationPhase


class SeedingPhase(PhaseComponent):
    """`test_users`: the names of the test users; none where the stack asks for none."""

    def __init__(self, context: Context, after: ConfigurationPhase, base: InitializationPhase) -> None:
        super().__init__(context, "seeding", after)
        names, settings = context.names, context.settings
        secrets, storage = base.secrets, base.storage
        administrator = context.administrator(secrets["keycloak-admin"], base.ca)
        inside = pulumi.ResourceOptions.merge(self.child(), after.in_keycloak)
        people: list[pulumi.Resource] = [ProbePersons("probe-persons", names, administrator, base.probes, inside)]
        self.test_users: pulumi.Input[list[str]] = []
        if settings.test_users:
            users = TestUsers("test-users", names, administrator, secrets["test-users"], inside)
            self.test_users = users.usernames
            people.append(users)
        seed = Seed(
            "seed",
            names,
            [*context.partners, *context.place.cut],
            settings.documents,
            base.public_keys["kas-key"],
            secrets["mongodb"],
            base.ca,
            pulumi.ResourceOptions.merge(self.child(), storage.inside("mongodb")),
        )
        partners = context.place.partners
        publication = Publication(
            "publication",
            PublicationArgs(
                names,
                {partner.names.country.code: base.probes[partner.names.country.code] for partner in partners},
                {partner.names.country.code: partner.sealing_key for partner in partners},
                secrets["deployer-key"],
                secrets["mongodb"],
                base.ca,
            ),
            pulumi.ResourceOptions.merge(self.child(), storage.inside("mongodb")),
        )
        self.checkpoint = Checkpoint(
            "seeding-checkpoint",
            Phase.SEEDING,
            names,
            secret(
                pulumi.Output.all(
                    key=base.public_keys["kas-key"],
                    ca=base.ca,
                    mongodb=secrets["mongodb"],
                    keycloak=secrets["keycloak-admin"],
                ).apply(
                    lambda found: spec.SeedingSpec(
                        names,
                        tuple(context.partners),
                        settings.documents,
                        {names.country.code: found["key"]},
                        found["ca"],
                        found["mongodb"],
                        found["keycloak"],
                        settings.test_users,
                        context.place.cut,
                    )
                )
            ),
            base.store,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*people, seed, publication]),
        )
