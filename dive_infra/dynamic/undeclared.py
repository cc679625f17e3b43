"""Removes from a realm what is not declared and no refresh can see (`identity.undeclared`).

An undeclared part of a declared object is repaired by any update. A whole undeclared object is reported by the
validator, and removed only when the environment of a run names it: it may have an owner. The link of a country that is
no partner any more is ended at once: Pulumi deletes its objects last.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.countries import parse
from dive_infra.config.environment import removals
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.identity.departure import end_link
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, NotFound
from dive_infra.identity.undeclared import UndeclaredObject, undeclared_objects
from dive_infra.plans import provider_messages


class UndeclaredProvider(Provider):
    """Inputs: country, namespace, partners (codes), `access` (`identity.keycloak_admin.KeycloakAccess`).

    `addresses`: code -> address of each of them that has one; what is declared of a partner elsewhere differs.
    """

    replaces = ("country", "namespace")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            for found in _due(admin, inputs):
                found.repair()
                tell(provider_messages.undeclared_repaired(found.what))
        return f"{inputs['namespace']}/{inputs['country']}", {}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        own, _ = names_of(inputs)
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            for code in before["partners"]:
                if code not in inputs["partners"]:
                    end_link(admin, own, own.of(parse(code)))
        return super().update_resource(inputs, before)

    def drift_reason(self, before: Inputs) -> str | None:
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            try:
                due = _due(admin, before)
            except NotFound:
                return None  # the validator reports a missing realm
        return "; ".join(f"{found.what}: not as declared" for found in due) or None


class Undeclared(dynamic.Resource, module="dive", name="Undeclared"):
    """What is undeclared in the realm of `names`; it must depend on everything that is declared there."""

    def __init__(
        self,
        name: str,
        names: Names,
        partners: Sequence[Names],
        access: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = named(names, partners) | {"access": pulumi.Output.secret(access)}
        super().__init__(UndeclaredProvider(), name, inputs, opts)


def named(names: Names, partners: Sequence[Names]) -> dict[str, Any]:
    """Return what the inputs hold of a country and its partners; `names_of` reads it back."""
    addresses = {each.country.code: each.address for each in (names, *partners) if each.address}
    found = {
        "country": names.country.code,
        "namespace": names.namespace,
        "partners": [partner.country.code for partner in partners],
    }
    return found | ({"addresses": addresses} if addresses else {})


def names_of(inputs: Inputs) -> tuple[Names, list[Names]]:
    """Return a country and its partners as far as which fields of a realm are declared depends on them."""
    addresses = inputs.get("addresses", {})
    own = Names.of_plain({**inputs, "address": addresses.get(inputs["country"], "")})
    return own, [replace(own, country=parse(code), address=addresses.get(code, "")) for code in inputs["partners"]]


def _due(admin: KeycloakAdmin, inputs: Inputs) -> list[UndeclaredObject]:
    found = undeclared_objects(admin, *names_of(inputs))
    removed = removals()
    return [f for f in found if not f.name or f.name in removed]
