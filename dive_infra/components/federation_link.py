"""A country's own side of its federation link with a partner: everything that its realm holds of the link."""

from dataclasses import dataclass
from typing import Any

import pulumi

from dive_infra.components.keycloak_objects import client, identity_provider, identity_provider_mapper
from dive_infra.config.naming import Names
from dive_infra.dynamic.partner_people import PartnerPeople
from dive_infra.identity import link_data as data


@dataclass
class LinkArgs:
    """The country whose realm holds this side, and its partner.

    `access`: the fields of `identity.keycloak_admin.KeycloakAccess` to the country's server.
    """

    own: Names
    partner: Names
    access: pulumi.Input[dict[str, Any]]


class FederationLink(pulumi.ComponentResource):
    """`usa-idp` in France's realm, and the client that the broker of the USA uses there.

    Each broker authenticates with its realm's key: the sides share no secret and need no order. `opts` has the
    Keycloak provider; the realm must exist.
    """

    def __init__(self, name: str, args: LinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:FederationLink", name, None, opts)
        realm, partner = args.own.realm, args.partner

        def child(end: str) -> pulumi.ResourceOptions:
            # Until each spoke was updated once: its side had the spoke's name.
            earlier = "link-people" if end == "people" else f"link-{args.own.country.lower}-{end}"
            aliases = [pulumi.Alias(name=earlier)] if partner.country.is_hub else None
            return pulumi.ResourceOptions(parent=self, aliases=aliases)

        provider = data.identity_provider(args.own, partner)
        idp = identity_provider(f"{name}-idp", realm, provider, data.NO_SECRET, child("idp"))
        for mapper in data.identity_provider_mappers(partner):
            identity_provider_mapper(f"{name}-idp", realm, idp.alias, mapper, child(f"idp-{mapper.name}"))
        client(f"{name}-broker", realm, data.broker_client(args.own, partner), child("broker"))
        PartnerPeople(f"{name}-people", realm, idp.alias, args.access, child("people"))
        self.register_outputs({})
