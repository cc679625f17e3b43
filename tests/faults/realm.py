"""Faults inside Keycloak: the realm, and each country's own side of the link."""

from collections.abc import Callable, Iterable
from typing import Any

from dive_infra.config.countries import HUB, parse
from dive_infra.config.naming import Names
from dive_infra.identity import users
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.identity.link_data import identity_provider_mappers
from dive_infra.identity.realm_data import FIRST_LOGIN_FLOW, PORTAL_MAPPERS, SCOPES
from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import RemedyKind
from tests.coalition.live import keycloak
from tests.faults.fault import Fault, Scene

Json = dict[str, Any]


class Realm:
    """The realm of a country, as its administrator changes it by hand."""

    def __init__(self, admin: KeycloakAdmin, names: Names) -> None:
        self.admin, self.names, self.path = admin, names, f"/realms/{names.realm}"

    def get(self, path: str, **query: Any) -> Any:
        return self.admin.get(f"{self.path}/{path}", **query)

    def delete(self, path: str) -> None:
        self.admin.delete(f"{self.path}/{path}")

    def post(self, path: str, body: object) -> str:
        return self.admin.post(f"{self.path}/{path}", body)

    def change(self, path: str, change: Callable[[Any], None]) -> None:
        found = self.get(path)
        change(found)
        self.admin.put(f"{self.path}/{path}", found)

    def named(self, path: str, name: str, key: str = "name") -> str:
        """Return the path of the object of this name in a list."""
        return f"{path}/{next(o['id'] for o in self.get(path) if o[key] == name)}"

    def client(self, client_id: str) -> str:
        return f"clients/{self.get('clients', clientId=client_id)[0]['id']}"

    def mapper(self, holder: str, name: str) -> str:
        return self.named(f"{holder}/protocol-mappers/models", name)

    def provider(self, of: str) -> str:
        return f"identity-provider/instances/{of.lower()}-idp"

    def portal(self) -> str:
        return self.client(self.names.client)

    def broker(self, of: str) -> str:
        return self.client(self.names.of(parse(of)).client)

    def flow(self) -> str:
        return f"authentication/flows/{FIRST_LOGIN_FLOW}/executions"

    def person(self, number: int) -> str:
        return f"users/{users.wanted(self.names)[number - 1].id}"


def _fault(
    title: str,
    damage: Callable[[Realm], object],
    heals: Iterable[str],
    also: Iterable[str] | None = (),
    by: str = "FRA",
    red: Phase = Phase.CONFIGURATION,
    remedy: RemedyKind = RemedyKind.REFRESH,
    **more: Any,
) -> Fault:
    """`by`: in whose realm; the stack of that country repairs it. What is in a realm touches no container."""

    def harm(scene: Scene) -> None:
        country = {"USA": scene.usa, "FRA": scene.fra}[by]
        with keycloak(country) as admin:
            damage(Realm(admin, country.names))

    kept = None if also is None else frozenset(also)
    return Fault(title, by, harm, red, remedy, heals=frozenset(heals), also=kept, **more)


def _set(**values: Any) -> Callable[[Json], None]:
    return lambda found: found.update(values)


def _inside(key: str, **values: Any) -> Callable[[Json], None]:
    return lambda found: found[key].update(values)


def _profile(name: str, change: Callable[[Json], None]) -> Callable[[Json], None]:
    """Change one attribute of the user profile."""
    return lambda profile: change(next(a for a in profile["attributes"] if a["name"] == name))


def _without(name: str) -> Callable[[Json], None]:
    def drop(profile: Json) -> None:
        profile["attributes"] = [a for a in profile["attributes"] if a["name"] != name]

    return drop


def _step(**values: Any) -> Callable[[Realm], None]:
    return lambda r: r.admin.put(f"{r.path}/{r.flow()}", {**r.get(r.flow())[0], **values})


def _flow_lost(realm: Realm) -> None:
    """Delete the login flow; Keycloak refuses while an identity provider uses it."""
    realm.change(realm.provider("USA"), _set(firstBrokerLoginFlowAlias="first broker login"))
    realm.delete(realm.named("authentication/flows", FIRST_LOGIN_FLOW, "alias"))


def _password(realm: Realm) -> None:
    body = {"type": "password", "value": "Another-Passphrase-of-somebody-1", "temporary": False}
    realm.admin.put(f"{realm.path}/{realm.person(2)}/reset-password", body)


_LEFT = ": found but not declared"
_STRANGER = {
    "alias": "evil-idp",
    "providerId": "oidc",
    "enabled": True,
    "config": {"clientId": "x", "clientSecret": "x"},
}
_ROLE_FOR_ALL = {
    "name": "everybody-administers",
    "identityProviderAlias": "usa-idp",
    "identityProviderMapper": "oidc-hardcoded-role-idp-mapper",
    "config": {"syncMode": "FORCE", "role": "realm-management.realm-admin"},
}
_CLAIM = {
    "name": "more",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-hardcoded-claim-mapper",
    "config": {"claim.name": "clearance", "claim.value": "TOP_SECRET", "access.token.claim": "true"},
}
_LINK = ("link-to-usa-idp", *(f"link-to-usa-idp-{m.name}" for m in identity_provider_mappers(Names(HUB))))
_AT_HUB = tuple(name.replace("link-to-usa", "link-to-fra") for name in _LINK)
_PORTAL = ("realm-portal", *(f"realm-portal-{m.name}" for m in PORTAL_MAPPERS))
_PERSON: dict[str, Any] = {"red": Phase.SEEDING, "remedy": RemedyKind.UPDATE, "heals": ("test-users",)}
_UNCOVERED: dict[str, Any] = {"remedy": RemedyKind.UPDATE, "heals": ("undeclared",)}
# An object that may belong to someone: an operator names it.
_STRANGE: dict[str, Any] = {"remedy": RemedyKind.DECIDE, "heals": ("undeclared",), "refused": _LEFT}
# What Pulumi does not cover follows from what it does: the scopes of clients, and whether a role is composite.
_FOLLOWED: dict[str, Any] = {"more": frozenset({RemedyKind.UPDATE})}
_HUB: dict[str, Any] = {"by": "USA"}


def mapper_deleted(scene: Scene) -> None:
    scope, (mapper, *_) = next((name, mappers) for name, mappers in SCOPES.items() if mappers)
    realm = scene.hurt.names.realm
    with keycloak(scene.hurt) as admin:
        found = next(s for s in admin.get(f"/realms/{realm}/client-scopes") if s["name"] == scope)
        held = next(m for m in found["protocolMappers"] if m["name"] == mapper.name)
        admin.delete(f"/realms/{realm}/client-scopes/{found['id']}/protocol-mappers/models/{held['id']}")


FAULTS: tuple[Fault, ...] = (
    _fault(
        "the realm is deleted",
        lambda r: r.admin.delete(r.path),
        ("realm", *_PORTAL, *_LINK, "test-users"),
        None,
    ),
    _fault(
        "the realm is deleted",
        lambda r: r.admin.delete(r.path),
        ("realm", *_PORTAL, *_AT_HUB, "test-users"),
        None,
        **_HUB,
    ),
    _fault("a setting of the realm is changed", lambda r: r.change("", _set(accessTokenLifespan=36000)), ("realm",)),
    _fault("events are not kept", lambda r: r.change("events/config", _set(eventsEnabled=False)), ("realm-events",)),
    _fault(
        "a user attribute is removed", lambda r: r.change("users/profile", _without("acpCOI")), ("realm-profile",), None
    ),
    _fault(
        "a user attribute may be edited by its owner",
        lambda r: r.change("users/profile", _profile("clearance", _inside("permissions", edit=["admin", "user"]))),
        ("realm-profile",),
    ),
    _fault(
        "a group of attributes is called otherwise",
        lambda r: r.change("users/profile", lambda found: found["groups"][-1].update(displayHeader="Others")),
        ("realm-profile",),
    ),
    # Clients and what is in them.
    _fault("the portal's client is deleted", lambda r: r.delete(r.portal()), _PORTAL, ("undeclared",)),
    _fault(
        "the portal's client has another redirect",
        lambda r: r.change(r.portal(), _set(redirectUris=["https://evil.localhost/*"])),
        ("realm-portal",),
    ),
    _fault(
        "the portal's secret is changed by hand",
        lambda r: r.change(r.portal(), _set(secret="by-hand")),
        ("realm-portal",),
        selected="realm objects",
    ),
    _fault(
        "a mapper of the portal is deleted",
        lambda r: r.delete(r.mapper(r.portal(), "audience")),
        ("realm-portal-audience",),
    ),
    _fault(
        "a mapper of the portal is changed",
        lambda r: r.change(r.mapper(r.portal(), "realm_roles"), _inside("config", **{"claim.name": "other"})),
        ("realm-portal-realm_roles",),
    ),
    _fault(
        "a mapper is added to the portal",
        lambda r: r.post(f"{r.portal()}/protocol-mappers/models", _CLAIM),
        **_UNCOVERED,
    ),
    _fault(
        "a client scope is deleted",
        lambda r: r.delete(r.named("client-scopes", "clearance")),
        ("realm-scope-clearance", "realm-scope-clearance-clearance", "realm-default-scopes", "undeclared"),
        selected="realm objects",
        **_FOLLOWED,
    ),
    _fault(
        "a mapper of a client scope is deleted",
        lambda r: r.delete(r.mapper(r.named("client-scopes", "acpCOI"), "acpCOI")),
        ("realm-scope-acpCOI-acpCOI",),
    ),
    _fault(
        "a client scope is no longer given to new clients",
        lambda r: r.delete(
            r.named("client-scopes", "uniqueID").replace("client-scopes", "default-default-client-scopes")
        ),
        ("realm-default-scopes",),
    ),
    _fault(
        "a client scope is taken from the portal",
        lambda r: r.delete(
            f"{r.portal()}/{r.named('client-scopes', 'acpCOI').replace('client-scopes', 'default-client-scopes')}"
        ),
        **_UNCOVERED,
    ),
    _fault("a client is added", lambda r: r.post("clients", {"clientId": "stranger"}), **_STRANGE),
    # Roles and groups.
    _fault("a role is deleted", lambda r: r.delete("roles/admin"), ("realm-role-admin", "realm-group-admins-roles")),
    _fault(
        "the role of everybody is deleted",
        lambda r: r.delete("roles/user"),
        ("realm-role-user", "realm-default-roles", "realm-group-users-roles"),
        **_FOLLOWED,
    ),
    _fault(
        "a group is deleted",
        lambda r: r.delete(r.named("groups", "users")),
        ("realm-group-users", "realm-group-users-roles", "test-users", "probe-persons"),
        ("seeding-checkpoint",),
    ),
    _fault(
        "a group has lost its role",
        lambda r: r.admin.delete(f"{r.path}/{r.named('groups', 'admins')}/role-mappings/realm", [r.get("roles/admin")]),
        ("realm-group-admins-roles",),
    ),
    # The login flow of partners.
    _fault("a step of the login flow is off", _step(requirement="DISABLED"), ("realm-first-login-create",)),
    _fault(
        "a step that links by mail is added to the login flow",
        lambda r: r.post(f"{r.flow()}/execution", {"provider": "idp-auto-link"}),
        **_UNCOVERED,
    ),
    _fault(
        "the login flow is deleted",
        _flow_lost,
        ("realm-first-login", "realm-first-login-create", "link-to-usa-idp"),
    ),
    # This side of the link.
    _fault("the identity provider is deleted", lambda r: r.delete(r.provider("USA")), _LINK, ("link-to-usa-people",)),
    _fault(
        "the identity provider is disabled",
        lambda r: r.change(r.provider("USA"), _set(enabled=False)),
        _LINK[:1],
        selected="realm objects",
    ),
    _fault(
        "the identity provider trusts other keys",
        lambda r: r.change(r.provider("USA"), _inside("config", jwksUrl="https://evil.localhost/keys")),
        _LINK[:1],
    ),
    _fault(
        "a mapper of the identity provider is deleted",
        lambda r: r.delete(r.named(f"{r.provider('USA')}/mappers", "clearance")),
        ("link-to-usa-idp-clearance",),
    ),
    _fault(
        "a mapper of the identity provider is changed",
        lambda r: r.change(
            r.named(f"{r.provider('USA')}/mappers", "countryOfAffiliation"),
            _inside("config", **{"attribute.value": "FRA"}),
        ),
        ("link-to-usa-idp-countryOfAffiliation",),
    ),
    _fault(
        "a mapper that makes administrators is added to the identity provider",
        lambda r: r.post(f"{r.provider('USA')}/mappers", _ROLE_FOR_ALL),
        selected="small things",
        **_UNCOVERED,
    ),
    _fault(
        "an identity provider is added",
        lambda r: r.post("identity-provider/instances", _STRANGER),
        **_STRANGE,
    ),
    _fault(
        "the partner's broker has another key",
        lambda r: r.change(r.broker("USA"), _inside("attributes", **{"jwks.url": "https://evil.localhost/keys"})),
        ("link-to-usa-broker",),
    ),
    _fault("the partner's broker is deleted", lambda r: r.delete(r.broker("USA")), ("link-to-usa-broker",)),
    # The other side of it.
    _fault(
        "the identity provider is deleted",
        lambda r: r.delete(r.provider("FRA")),
        _AT_HUB,
        ("link-to-fra-people",),
        **_HUB,
    ),
    _fault(
        "the identity provider is disabled",
        lambda r: r.change(r.provider("FRA"), _set(enabled=False)),
        _AT_HUB[:1],
        **_HUB,
    ),
    _fault(
        "a mapper of the identity provider is deleted",
        lambda r: r.delete(r.named(f"{r.provider('FRA')}/mappers", "acpCOI")),
        ("link-to-fra-idp-acpCOI",),
        **_HUB,
    ),
    _fault(
        "the broker has another key",
        lambda r: r.change(r.broker("FRA"), _inside("attributes", **{"jwks.url": "https://evil.localhost/keys"})),
        ("link-to-fra-broker",),
        **_HUB,
    ),
    _fault("the broker is deleted", lambda r: r.delete(r.broker("FRA")), ("link-to-fra-broker",), **_HUB),
    # The people.
    _fault("a test user is deleted", lambda r: r.delete(r.person(1)), **_PERSON),
    _fault(
        "a test user has another clearance",
        lambda r: r.change(r.person(3), _inside("attributes", clearance=["TOP_SECRET"])),
        **_PERSON,
    ),
    _fault("a test user has another password", _password, **_PERSON),
    _fault("a test user is disabled", lambda r: r.change(r.person(4), _set(enabled=False)), **_PERSON),
    _fault(
        "a test user is out of its group",
        lambda r: r.delete(f"{r.person(5)}/{r.named('groups', 'users')}"),
        **_PERSON,
    ),
)
