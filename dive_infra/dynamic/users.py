"""The people that a country declares: created with fixed ids, compared in each diff, repaired where they differ."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from dive_infra.config.countries import parse
from dive_infra.config.credentials import strong
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError, tell
from dive_infra.identity import users
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.identity.users import User
from dive_infra.plans import provider_messages
from dive_infra.results.finding import Verdict
from dive_infra.results.remedy import Remedy


class PeopleProvider(Provider):
    """Inputs: country, namespace, domain; `access` (`keycloak_admin.KeycloakAccess`); who, and their passwords."""

    replaces = ("country", "namespace", "domain")

    def passwords(self, inputs: Inputs) -> dict[User, str]:
        """Return the people with their passwords."""
        raise NotImplementedError

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return f"{inputs['namespace']}/{inputs['country']}", self._repair(inputs, {})

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        known = self.passwords(before)
        if left := known.keys() - self.passwords(inputs).keys():
            with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
                users.remove(admin, Names.of_plain(inputs), left)
        return self._repair(inputs, known)

    def delete_resource(self, before: Inputs) -> None:
        with KeycloakAdmin(KeycloakAccess(**before["access"])) as admin:
            users.remove(admin, Names.of_plain(before), self.passwords(before))

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            found = users.compare_users(admin, Names.of_plain(before), list(self.passwords(before)))
        return "; ".join(f"{f.check}: found {f.found}" for f in found if f.verdict != Verdict.VALID) or None

    def _repair(self, inputs: Inputs, known: Mapping[User, str]) -> Outputs:
        wanted = self.passwords(inputs)
        changed = [user for user, password in wanted.items() if password != known.get(user)]
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            repaired = users.repair(admin, Names.of_plain(inputs), wanted, changed)
        for username, properties in repaired.items():
            tell(provider_messages.user_repaired(username, properties))
        return {"usernames": [u.username for u in wanted], "ids": {u.username: u.id for u in wanted}}


class TestUsersProvider(PeopleProvider):
    """Input: `password` of all six."""

    def passwords(self, inputs: Inputs) -> dict[User, str]:
        password: str = inputs["password"]
        return dict.fromkeys(users.wanted(Names.of_plain(inputs)), password)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        _require_strong(inputs["password"])
        return super().create_resource(inputs)

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        _require_strong(inputs["password"])
        return super().update_resource(inputs, before)


class ProbePersonsProvider(PeopleProvider):
    """Input: `given`: country code -> password of the person for it."""

    def passwords(self, inputs: Inputs) -> dict[User, str]:
        names = Names.of_plain(inputs)
        return {users.probe(names, parse(code)): password for code, password in sorted(inputs["given"].items())}


def _require_strong(password: str) -> None:
    if not strong(password):
        raise ProviderError(
            "secret test-users does not meet the realm's password policy; expected at least 16 characters with "
            "upper and lower case, a digit and a special one",
            Remedy.run("pulumi config set --secret --path dive:secrets.test-users"),
        )


class _People(dynamic.Resource):
    """People of `names`. Outputs: `usernames`, and `ids` by user name. `passwords` are the input `_given`."""

    usernames: pulumi.Output[list[str]]
    ids: pulumi.Output[dict[str, str]]
    _people: ClassVar[type[PeopleProvider]]
    _given: ClassVar[str]

    def __init__(
        self,
        name: str,
        names: Names,
        access: pulumi.Input[dict[str, Any]],
        passwords: pulumi.Input[Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "country": names.country.code,
            "namespace": names.namespace,
            "domain": names.domain,
            "access": pulumi.Output.secret(access),
            self._given: pulumi.Output.secret(passwords),
            "usernames": None,
            "ids": None,
        }
        super().__init__(self._people(), name, props, opts)


class TestUsers(_People, module="dive", name="TestUsers"):
    """The six test users, all with one password."""

    _people, _given = TestUsersProvider, "password"


class ProbePersons(_People, module="dive", name="ProbePersons"):
    """The probe persons, one for each country in the passwords (code -> password)."""

    _people, _given = ProbePersonsProvider, "given"
