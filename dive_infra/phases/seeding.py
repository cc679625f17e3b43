"""SEEDING: the test users of the country, and the data of its services and policies."""

import pulumi

from dive_infra.checks import spec
from dive_infra.components.values import secret
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.seed import Seed
from dive_infra.dynamic.users import TestUsers
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.configuration import ConfigurationPhase
from dive_infra.phases.initialization import InitializationPhase


class SeedingPhase(PhaseComponent):
    """`test_users`: the names of the users who can log in."""

    def __init__(self, context: Context, after: ConfigurationPhase, base: InitializationPhase) -> None:
        super().__init__(context, "seeding", after)
        names, settings = context.names, context.settings
        secrets, storage = base.secrets, base.storage
        users = TestUsers(
            "test-users",
            names,
            context.administrator(secrets["keycloak-admin"], base.ca),
            secrets["test-users"],
            pulumi.ResourceOptions.merge(self.child(), after.in_keycloak),
        )
        self.test_users = users.usernames
        seed = Seed(
            "seed",
            names,
            settings.partners,
            settings.documents,
            base.public_keys["kas-key"],
            secrets["mongodb"],
            base.ca,
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
                        context.hub,
                        tuple(settings.partners),
                        settings.documents,
                        {names.country.code: found["key"]},
                        found["ca"],
                        found["mongodb"],
                        found["keycloak"],
                    )
                )
            ),
            base.store,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[users, seed]),
        )
