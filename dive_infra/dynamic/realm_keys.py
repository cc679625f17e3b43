"""Records which keys a country's realm and master have: what CONFIGURATION compares the live ones with.

Keys that a run of ours had Keycloak create are recorded by it: with a new realm, or with a key provider that was
missing (`realm_probe` sees that before anything is repaired). Others are recorded only if the environment of a run
names their realm: whoever can replace a key can sign tokens.
"""

from typing import Any

import pulumi
from pulumi import dynamic

from dive_infra.config.environment import ACCEPT_KEYS, accepted_keys
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.identity import key_providers
from dive_infra.identity.key_providers import shipped
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, NotFound
from dive_infra.identity.realm_keys import plain, recorded
from dive_infra.plans import provider_messages


class RealmKeysProvider(Provider):
    """Inputs: country, namespace, `access` (`identity.keycloak_admin.KeycloakAccess`).

    Outputs: `recorded` (realm -> keys), and the `incarnations` of the key providers that these are of.
    """

    replaces = ("country", "namespace")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        names = Names.of_plain(inputs)
        return f"{inputs['namespace']}/{inputs['country']}", self._record(inputs, {}, set(shipped(names)))

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return self._record(inputs, before, accepted_keys())

    def drift_reason(self, before: Inputs) -> str | None:
        if again := self._created_again(before):
            return f"{', '.join(sorted(again))}: created again, with new keys"
        accepted, known = accepted_keys(), recorded(before["recorded"])
        asked = {r: providers for r, providers in shipped(Names.of_plain(before)).items() if r in accepted}
        if not asked:
            return None
        with KeycloakAdmin(KeycloakAccess(**before["access"]), DIFF_REQUEST) as admin:
            try:
                live = {realm: key_providers.read(admin, realm).of(providers) for realm, providers in asked.items()}
            except NotFound:
                return None  # the validator reports a missing realm
        other = [realm for realm, keys in live.items() if set(keys) != set(known.get(realm, ()))]
        return f"{ACCEPT_KEYS} accepts the keys of {', '.join(other)}" if other else None

    def _record(self, inputs: Inputs, before: Inputs, accepted: set[str]) -> Outputs:
        names = Names.of_plain(inputs)
        known, again = recorded(before.get("recorded", {})), self._created_again(before)
        with KeycloakAdmin(KeycloakAccess(**inputs["access"])) as admin:
            live = {realm: key_providers.read(admin, realm) for realm in shipped(names)}
        found = key_providers.to_record(known, live, accepted, again, names)
        for realm, keys in found.items():
            if new := [key.kid for key in keys if key not in known.get(realm, ())]:
                tell(provider_messages.keys_recorded(realm, new))
        return {
            "recorded": {realm: plain(keys) for realm, keys in found.items()},
            "incarnations": {**before.get("incarnations", {}), **self.run.key_incarnations},
        }

    def _created_again(self, before: Inputs) -> set[str]:
        """Return the key providers, as `realm/name`, that a run of ours has created since their keys were recorded."""
        held = before.get("incarnations", {})
        return {provider for provider, n in self.run.key_incarnations.items() if n != held.get(provider, 0)}


class RealmKeys(dynamic.Resource, module="dive", name="RealmKeys"):
    """The keys of the realm of `names` and of master; it must depend on everything that creates one.

    `recorded`: realm -> keys, as `identity.realm_keys.plain` writes them.
    """

    recorded: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        names: Names,
        access: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "country": names.country.code,
            "namespace": names.namespace,
            "access": pulumi.Output.secret(access),
            "recorded": None,
        }
        super().__init__(RealmKeysProvider(), name, inputs, opts)
