"""The accounts that a link created in this realm: deleted with it, when they have lost it, or when superseded."""

from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.identity import federated_users
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, NotFound


class PartnerPeopleProvider(Provider):
    """Inputs: realm, alias of the identity provider, `access` (`identity.keycloak_admin.KeycloakAccess`)."""

    deploys = False  # deletes only accounts that no one can use
    replaces = ("realm", "alias")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            for unused in (federated_users.stranded, federated_users.superseded):
                federated_users.forget(admin, inputs["realm"], unused(admin, inputs["realm"], inputs["alias"]))
        return f"{inputs['realm']}/{inputs['alias']}", {}

    def delete_resource(self, before: Inputs) -> None:
        with KeycloakAdmin(KeycloakAccess(**before["access"])) as admin:
            federated_users.forget(
                admin, before["realm"], federated_users.known(admin, before["realm"], before["alias"])
            )

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            try:
                lost = federated_users.stranded(admin, before["realm"], before["alias"])
                old = federated_users.superseded(admin, before["realm"], before["alias"])
            except NotFound:
                return None  # the validator reports a missing realm
        reasons = {"have lost their link": lost, "belong to people who were recreated at home": old}
        parts = [f"{len(found)} account(s) of {before['alias']} {why}" for why, found in reasons.items() if found]
        return "; ".join(parts) or None


class PartnerPeople(dynamic.Resource, module="dive", name="PartnerPeople"):
    """The accounts in `realm` that the identity provider `alias` created."""

    def __init__(
        self,
        name: str,
        realm: str,
        alias: pulumi.Input[str],
        access: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"realm": realm, "alias": alias, "access": pulumi.Output.secret(access)}
        super().__init__(PartnerPeopleProvider(), name, inputs, opts)
