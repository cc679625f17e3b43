"""The test users of a country: created with fixed ids, compared in each diff, repaired where they differ."""

from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.credentials import strong
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError, tell
from dive_infra.identity import users
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.plans import provider_messages
from dive_infra.results.finding import Verdict
from dive_infra.results.remedy import Remedy


class TestUsersProvider(Provider):
    """Inputs: country, namespace, domain; `access` (`keycloak_admin.KeycloakAccess`); `password` of all six."""

    replaces = ("country", "namespace", "domain")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return f"{inputs['namespace']}/{inputs['country']}", self._repair(inputs, reset=True)

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return self._repair(inputs, reset=inputs["password"] != before.get("password"))

    def delete_resource(self, before: Inputs) -> None:
        with KeycloakAdmin(KeycloakAccess(**before["access"])) as admin:
            users.remove(admin, Names.of_plain(before))

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            off = [f for f in users.compare_users(admin, Names.of_plain(before)) if f.verdict != Verdict.VALID]
        return "; ".join(f"{f.check}: found {f.found}" for f in off) or None

    def _repair(self, inputs: Inputs, reset: bool) -> Outputs:
        names = Names.of_plain(inputs)
        if not strong(inputs["password"]):
            raise ProviderError(
                "secret test-users does not meet the realm's password policy; expected at least 16 characters with "
                "upper and lower case, a digit and a special one",
                Remedy.run("pulumi config set --secret --path dive:secrets.test-users"),
            )
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            for username, properties in users.repair(admin, names, inputs["password"], reset).items():
                tell(provider_messages.user_repaired(username, properties))
        wanted = users.wanted(names)
        return {"usernames": [u.username for u in wanted], "ids": {u.username: u.id for u in wanted}}


class TestUsers(dynamic.Resource, module="dive", name="TestUsers"):
    """The six test users of `names`. Outputs: `usernames`, and `ids` by user name."""

    usernames: pulumi.Output[list[str]]
    ids: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        names: Names,
        access: pulumi.Input[dict[str, Any]],
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            TestUsersProvider(),
            name,
            {
                "country": names.country.code,
                "namespace": names.namespace,
                "domain": names.domain,
                "access": pulumi.Output.secret(access),
                "password": pulumi.Output.secret(password),
                "usernames": None,
                "ids": None,
            },
            opts,
        )
