"""The administrative roles of a service account: exactly these; one more is drift, too."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.identity.service_accounts import roles, set_roles


class ServiceAccountRolesProvider(Provider):
    """Inputs: realm, client_id, roles (names of `realm-management`), `access` (`keycloak_admin.KeycloakAccess`).

    The roles are deleted with the account, so a delete does nothing.
    """

    replaces = ("realm", "client_id")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            set_roles(admin, inputs["realm"], inputs["client_id"], inputs["roles"])
        return f"{inputs['realm']}/{inputs['client_id']}", {}

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            held = roles(admin, before["realm"], before["client_id"])
        wanted = set(before["roles"])
        return None if held == wanted else f"roles are {sorted(held)}, expected {sorted(wanted)}"


class ServiceAccountRoles(dynamic.Resource, module="dive", name="ServiceAccountRoles"):
    """The roles of the service account of client `client_id`."""

    def __init__(
        self,
        name: str,
        realm: str,
        client_id: pulumi.Input[str],
        roles: Sequence[str],
        access: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"realm": realm, "client_id": client_id, "roles": list(roles), "access": pulumi.Output.secret(access)}
        super().__init__(ServiceAccountRolesProvider(), name, inputs, opts)
