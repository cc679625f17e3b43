"""Keeps a realm free of what nobody declared and no refresh can see (`identity.undeclared`).

What stands in a declared object is put right by any update. An object of its own is shown by the validator and removed
when the environment of one run names it: it may be somebody's.
"""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.countries import parse
from dive_infra.config.environment import removals
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, NotFound
from dive_infra.identity.undeclared import Loose, loose


class UndeclaredProvider(Provider):
    """Inputs: country, namespace, partners (codes), `access` (see `identity.keycloak_admin.Access`)."""

    replaces = ("country", "namespace")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            for found in _due(admin, inputs):
                found.mend()
                tell(f"{found.what}: not as declared, put right")
        return f"{inputs['namespace']}/{inputs['country']}", {}

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            try:
                due = _due(admin, before)
            except NotFound:
                return None  # without a realm there is nothing in it: the validator tells
        return "; ".join(f"{found.what}: not as declared" for found in due) or None


class Undeclared(dynamic.Resource, module="dive", name="Undeclared"):
    """What stands undeclared in the realm of `names`. Must depend on all that is declared there."""

    def __init__(
        self,
        name: str,
        names: Names,
        partners: Sequence[Names],
        access: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "country": names.country.code,
            "namespace": names.namespace,
            "partners": [p.country.code for p in partners],
            "access": pulumi.Output.secret(access),
        }
        super().__init__(UndeclaredProvider(), name, inputs, opts)


def _due(admin: KeycloakAdmin, inputs: Inputs) -> list[Loose]:
    names = Names.of_plain(inputs)
    found = loose(admin, names, [names.of(parse(code)) for code in inputs["partners"]])
    removed = removals()
    return [f for f in found if not f.name or f.name in removed]
