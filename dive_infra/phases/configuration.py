"""CONFIGURATION: the realm, with the country's own side of its link to each partner."""

from dataclasses import replace

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.checks import spec
from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.components.values import secret
from dive_infra.config.naming import DEPLOYER
from dive_infra.config.timeouts import KEYCLOAK_PROVIDER_REQUEST
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.realm_keys import RealmKeys
from dive_infra.dynamic.realm_probe import RealmProbe
from dive_infra.dynamic.undeclared import Undeclared
from dive_infra.identity import realm_keys
from dive_infra.orchestration.states import Phase
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.deployment import DeploymentPhase
from dive_infra.phases.initialization import InitializationPhase


class ConfigurationPhase(PhaseComponent):
    def __init__(self, context: Context, after: DeploymentPhase, base: InitializationPhase) -> None:
        super().__init__(context, "configuration", after)
        names = context.names
        # Known once Keycloak is healthy; the provider logs in with its first request, so not in a preview.
        server = after.services["keycloak"].ready.apply(lambda host: f"https://{host}:{names.port('keycloak')}")
        own = keycloak.Provider(
            "keycloak",
            url=server,
            realm="master",
            client_id=DEPLOYER,
            client_secret=base.secrets["keycloak-admin"],
            root_ca_certificate=base.ca,
            initial_login=False,
            client_timeout=KEYCLOAK_PROVIDER_REQUEST,
            opts=self.child(),
        )
        # Deleted with Keycloak's database, without asking a server that may be gone.
        kept = self.in_keycloak = after.in_keycloak
        inside = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, provider=own), kept)
        specification = secret(
            pulumi.Output.all(base.ca, base.secrets["keycloak-admin"], base.secrets["portal-client"]).apply(
                lambda found: spec.ConfigurationSpec(names, tuple(context.partners), *found)
            )
        )
        # The probe knows no keys: they are recorded after the realm, which waits for it.
        probe = RealmProbe("realm-probe", names.realm, specification, self.child())
        after_probe = pulumi.ResourceOptions(depends_on=[probe])
        self.realm = Realm(
            "realm",
            RealmArgs(names, base.secrets["portal-client"]),
            pulumi.ResourceOptions.merge(inside, after_probe),
        )
        made: list[pulumi.Resource] = [self.realm]
        after_realm = pulumi.ResourceOptions(depends_on=[self.realm])
        administrator = context.administrator(base.secrets["keycloak-admin"], base.ca)
        made += [
            FederationLink(
                f"link-to-{partner.country.lower}",
                LinkArgs(names, partner, administrator),
                pulumi.ResourceOptions.merge(inside, after_realm),
            )
            for partner in context.partners
        ]
        held = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, depends_on=made), kept)
        undeclared = Undeclared("undeclared", names, context.partners, administrator, held)
        after_repair = pulumi.ResourceOptions.merge(held, pulumi.ResourceOptions(depends_on=[undeclared]))
        keys = RealmKeys("realm-keys", names, administrator, after_repair)
        self.checkpoint = Checkpoint(
            "configuration-checkpoint",
            Phase.CONFIGURATION,
            names,
            secret(
                pulumi.Output.all(specification, keys.recorded).apply(
                    lambda both: replace(both[0], keys=realm_keys.recorded(both[1]))
                )
            ),
            base.store,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*made, undeclared, keys]),
        )
