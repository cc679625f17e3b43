"""A country's realm, declared from the tables of `identity.realm_data`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.components.keycloak_objects import client, go_duration, protocol_mapper, snake
from dive_infra.config.naming import Names
from dive_infra.identity import realm_data as data


@dataclass
class RealmArgs:
    """The country of the realm, and the client secret of its portal."""

    names: Names
    portal_secret: pulumi.Input[str]


class Realm(pulumi.ComponentResource):
    """Settings, user profile, events, scopes, roles, groups, clients and the flow of a partner's first login.

    Needs a Keycloak provider that administers the server. `realm` is the realm's name, known only when everything in
    it exists: other objects of the realm must depend on it.
    """

    def __init__(self, name: str, args: RealmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:Realm", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        names = args.names
        realm = keycloak.Realm(name, opts=self._child, **_settings(names))
        self._realm = realm.realm
        self._profile()
        events = _snake_keys(data.EVENTS)
        keycloak.RealmEvents(f"{name}-events", realm_id=self._realm, opts=self._child, **events)
        self._groups()
        flow = self._first_login_flow()
        defaults = self._scopes()

        # Keycloak assigns the default scopes of the realm to a client when it is created.
        after = self._after(defaults)
        portal = client(f"{name}-portal", self._realm, data.portal_client(names), after, args.portal_secret)
        mappers = [
            protocol_mapper(f"{name}-portal", self._realm, mapper, self._child, client_id=portal.id)
            for mapper in data.PORTAL_MAPPERS
        ]
        backend = client(f"{name}-backend", self._realm, data.backend_client(names), after)

        done = pulumi.Output.all(realm.realm, defaults.id, flow.id, backend.id, *(m.id for m in mappers))
        self.realm: pulumi.Output[str] = done.apply(lambda parts: str(parts[0]))
        self.client_id = portal.client_id
        self.register_outputs({"realm": self.realm, "client_id": self.client_id})

    def _after(self, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(resources))

    def _profile(self) -> None:
        keycloak.RealmUserProfile(
            f"{self._name}-profile",
            realm_id=self._realm,
            attributes=[_attribute(a) for a in data.PROFILE],
            groups=[
                keycloak.RealmUserProfileGroupArgs(name=group, display_header=header, display_description=description)
                for group, (header, description) in data.PROFILE_GROUPS.items()
            ],
            unmanaged_attribute_policy="DISABLED",
            opts=self._child,
        )

    def _groups(self) -> None:
        roles = {
            role: keycloak.Role(
                f"{self._name}-role-{role}",
                realm_id=self._realm,
                name=role,
                description=description,
                opts=self._child,
            )
            for role, description in data.ROLES.items()
        }
        # Replaces Keycloak's defaults, which allow offline sessions and let users link accounts.
        keycloak.DefaultRoles(
            f"{self._name}-default-roles",
            realm_id=self._realm,
            default_roles=[roles[role].name for role in data.DEFAULT_ROLES],
            opts=self._child,
        )
        for group, role in data.GROUPS.items():
            made = keycloak.Group(f"{self._name}-group-{group}", realm_id=self._realm, name=group, opts=self._child)
            keycloak.GroupRoles(
                f"{self._name}-group-{group}-roles",
                realm_id=self._realm,
                group_id=made.id,
                role_ids=[roles[role].id],
                opts=self._child,
            )

    def _first_login_flow(self) -> keycloak.authentication.Execution:
        flow = keycloak.authentication.Flow(
            f"{self._name}-first-login",
            realm_id=self._realm,
            alias=data.FIRST_LOGIN_FLOW,
            description=data.FIRST_LOGIN_PURPOSE,
            opts=self._child,
        )
        return keycloak.authentication.Execution(
            f"{self._name}-first-login-create",
            realm_id=self._realm,
            parent_flow_alias=flow.alias,
            authenticator="idp-create-user-if-unique",
            requirement="REQUIRED",
            opts=self._child,
        )

    def _scopes(self) -> keycloak.RealmDefaultClientScopes:
        scopes = []
        for scope, mappers in data.SCOPES.items():
            made = keycloak.openid.ClientScope(
                f"{self._name}-scope-{scope}",
                realm_id=self._realm,
                name=scope,
                include_in_token_scope=False,
                opts=self._child,
            )
            holder = f"{self._name}-scope-{scope}"
            held = [protocol_mapper(holder, self._realm, m, self._child, client_scope_id=made.id) for m in mappers]
            scopes += [made, *held]
        return keycloak.RealmDefaultClientScopes(
            f"{self._name}-default-scopes",
            realm_id=self._realm,
            default_scopes=list(data.DEFAULT_SCOPES),
            opts=self._after(*scopes),
        )


def _settings(names: Names) -> dict[str, Any]:
    """Return the arguments of `keycloak.Realm`."""
    brute_force = dict(data.BRUTE_FORCE.values())
    return {
        "realm": names.realm,
        "display_name": data.display_name(names),
        "attributes": data.attributes(names),
        **{snake(k): v for k, v in data.SETTINGS.items()},
        **{snake(k): go_duration(v) for k, v in data.LIFESPANS.items()},
        "security_defenses": {
            "headers": {snake(k): v for k, v in data.HEADERS.items()},
            "brute_force_detection": brute_force,
        },
        "internationalization": {
            "supported_locales": data.locales(names),
            "default_locale": data.default_locale(names),
        },
        "web_authn_policy": _snake_keys(data.WEBAUTHN),
        "web_authn_passwordless_policy": _snake_keys(data.WEBAUTHN_PASSWORDLESS),
    }


def _snake_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    return {snake(k): v for k, v in table.items()}


def _attribute(row: data.ProfileAttribute) -> keycloak.RealmUserProfileAttributeArgs:
    return keycloak.RealmUserProfileAttributeArgs(
        name=row.name,
        display_name=row.display_name,
        group=row.group,
        multi_valued=row.many,
        permissions=keycloak.RealmUserProfileAttributePermissionsArgs(views=row.view, edits=["admin"]),
        required_for_roles=["user"] if row.required else [],
        validators=[
            keycloak.RealmUserProfileAttributeValidatorArgs(
                name=name,
                config={
                    k: v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for k, v in config.items()
                },
            )
            for name, config in row.validators.items()
        ],
    )
