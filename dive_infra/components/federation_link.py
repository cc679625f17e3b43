"""The federation link between a spoke and the hub: both sides, owned by the spoke's stack."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.components.keycloak_objects import client, identity_provider, identity_provider_mapper
from dive_infra.config.naming import Names
from dive_infra.dynamic.partner_people import PartnerPeople
from dive_infra.identity import link_data as data


@dataclass
class LinkArgs:
    """The two countries; `own` administers the spoke's server, `partner` is what the hub lends for this link.

    `access`: the fields of `identity.keycloak_admin.KeycloakAccess` to the spoke's server; `inside`: the options of
    what is stored there.
    """

    spoke: Names
    hub: Names
    own: keycloak.Provider
    partner: keycloak.Provider
    access: pulumi.Input[dict[str, Any]]
    inside: pulumi.ResourceOptions | None = None


class FederationLink(pulumi.ComponentResource):
    """`fra-idp` in the hub's realm, `usa-idp` in the spoke's, and the client that each broker uses at the other.

    Each broker authenticates with its realm's key: the sides share no secret and need no order. Both realms must exist.
    """

    def __init__(self, name: str, args: LinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:FederationLink", name, None, opts)
        child = pulumi.ResourceOptions.merge(args.inside, pulumi.ResourceOptions(parent=self))
        idp = self._side(f"{name}-{args.spoke.country.lower}", args.spoke, args.hub, args.own, child)
        PartnerPeople(
            f"{name}-people", args.spoke.realm, idp.alias, args.access, child
        )  # the hub's are in its `LinkAccess`
        there = pulumi.ResourceOptions(parent=self)
        self._side(f"{name}-{args.hub.country.lower}", args.hub, args.spoke, args.partner, there)
        self.register_outputs({})

    @staticmethod
    def _side(
        name: str, at: Names, of: Names, provider: keycloak.Provider, opts: pulumi.ResourceOptions
    ) -> keycloak.oidc.IdentityProvider:
        """Create what the realm of `at` holds of the link."""
        child = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider))
        idp = identity_provider(f"{name}-idp", at.realm, data.identity_provider(at, of), data.NO_SECRET, child)
        for mapper in data.identity_provider_mappers(of):
            identity_provider_mapper(f"{name}-idp", at.realm, idp.alias, mapper, child)
        client(f"{name}-broker", at.realm, data.broker_client(at, of), child)
        return idp
