"""CONFIGURATION: the realm, and at a spoke the link to the hub, at the hub the accounts that manage links."""

from dataclasses import replace

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.checks import spec
from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.link_access import LinkAccess, LinkAccessArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.components.values import secret
from dive_infra.config.countries import parse
from dive_infra.config.naming import DEPLOYER, LOOPBACK
from dive_infra.dynamic.checkpoint import Checkpoint
from dive_infra.dynamic.realm_keys import RealmKeys
from dive_infra.dynamic.realm_probe import RealmProbe
from dive_infra.dynamic.undeclared import Undeclared
from dive_infra.identity import realm_keys
from dive_infra.identity.link_policy import BASE_PATH, GATEWAY, link_account
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
        own = self._login("keycloak", server, "master", DEPLOYER, base.secrets["keycloak-admin"], base.ca)
        # Deleted with Keycloak's database, without asking a server that may be gone.
        kept = self.in_keycloak = after.in_keycloak
        inside = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, provider=own), kept)
        accounts = self._accounts(context, base)
        specification = secret(
            pulumi.Output.all(
                base.ca,
                base.secrets["keycloak-admin"],
                base.secrets["portal-client"],
                pulumi.Output.all(**accounts),
            ).apply(lambda found: spec.ConfigurationSpec(names, tuple(context.settings.partners), *found))
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
        if context.is_hub:
            access = LinkAccessArgs(
                names,
                {code: grant.secrets["link-admin"] for code, grant in base.grants.items()},
                base.secrets["link-gateway"],
                administrator,
            )
            made.append(LinkAccess("link-access", access, pulumi.ResourceOptions.merge(inside, after_realm)))
        else:
            hub = context.hub
            partner = self._login(
                "hub-link",
                f"https://{LOOPBACK}:{hub.port('backend')}",
                hub.realm,
                link_account(names),
                base.secrets["link-admin"],
                base.ca,
                base_path=BASE_PATH,
            )
            made.append(
                FederationLink(
                    "link",
                    LinkArgs(names, hub, own, partner, administrator, kept),
                    pulumi.ResourceOptions.merge(self.child(), after_realm),
                )
            )
        held = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, depends_on=made), kept)
        undeclared = Undeclared("undeclared", names, context.settings.partners, administrator, held)
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

    @staticmethod
    def _accounts(context: Context, base: InitializationPhase) -> dict[str, pulumi.Input[str]]:
        """Return the accounts that manage links, with their secrets: all of them at the hub, its own at a spoke."""
        names = context.names
        if not context.is_hub:
            return {link_account(names): base.secrets["link-admin"]}
        spokes = {
            link_account(names.of(parse(code))): grant.secrets["link-admin"] for code, grant in base.grants.items()
        }
        return {GATEWAY: base.secrets["link-gateway"], **spokes}

    def _login(
        self,
        name: str,
        url: pulumi.Input[str],
        realm: str,
        client_id: str,
        secret: pulumi.Input[str],
        ca: pulumi.Input[str],
        base_path: str | None = None,
    ) -> keycloak.Provider:
        return keycloak.Provider(
            name,
            url=url,
            base_path=base_path,
            realm=realm,
            client_id=client_id,
            client_secret=secret,
            root_ca_certificate=ca,
            initial_login=False,
            client_timeout=60,
            opts=self.child(),
        )
