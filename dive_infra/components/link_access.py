"""The hub's accounts with which an approved country manages its link, and nothing else (`identity.link_policy`).

With each, the accounts that logins through the link create at the hub: the country may not write these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from dive_infra.components.keycloak_objects import client
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.dynamic.partner_people import PartnerPeople
from dive_infra.dynamic.service_account_roles import ServiceAccountRoles
from dive_infra.identity.link_policy import GATEWAY_ROLES, account, gateway
from dive_infra.identity.realm_data import Json


@dataclass
class LinkAccessArgs:
    """`spokes`: code of an approved country -> the secret of its account; `gateway_secret` is the hub backend's own.

    `access` holds the fields of `identity.keycloak_admin.KeycloakAccess` to the hub's Keycloak.
    """

    hub: Names
    spokes: Mapping[str, pulumi.Input[str]]
    gateway_secret: pulumi.Input[str]
    access: pulumi.Input[dict[str, Any]]


class LinkAccess(pulumi.ComponentResource):
    """For each country an account without roles, and its people here; the gateway's account with the roles of a link.

    It depends on the realm.
    """

    def __init__(self, name: str, args: LinkAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:LinkAccess", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._account(f"{name}-gateway", gateway(), args.gateway_secret, GATEWAY_ROLES)
        for code, secret in args.spokes.items():
            spoke, its = args.hub.of(parse(code)), f"{name}-{code.lower()}"
            self._account(its, account(spoke), secret, ())
            PartnerPeople(f"{its}-people", args.hub.realm, spoke.idp_alias, args.access, self._child)
        self.register_outputs({})

    def _account(self, name: str, representation: Json, secret: pulumi.Input[str], roles: Sequence[str]) -> None:
        realm = self._args.hub.realm
        made = client(name, realm, representation, self._child, secret)
        ServiceAccountRoles(f"{name}-roles", realm, made.client_id, roles, self._args.access, self._child)
