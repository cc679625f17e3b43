"""Changes that someone makes in Keycloak's console: each function is one, on the realm of a country."""

from contextlib import suppress
from typing import Any

from dive_infra.config.naming import Names
from dive_infra.identity import users
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound

Json = dict[str, Any]
NAME = "foreign"


class Hand:
    """An administrator at the console; `close` removes what no repair is asked to."""

    def __init__(self, admin: KeycloakAdmin, names: Names) -> None:
        self.admin, self.names, self.path = admin, names, f"/realms/{names.realm}"
        self._left: list[str] = []

    def close(self) -> None:
        for path in self._left:
            with suppress(NotFound):
                self.admin.delete(path)

    def get(self, path: str, **query: Any) -> Any:
        return self.admin.get(f"{self.path}/{path}", **query)

    def post(self, path: str, body: object) -> str:
        return self.admin.post(f"{self.path}/{path}", body)

    def put(self, path: str, body: object | None = None) -> None:
        self.admin.put(f"{self.path}/{path}", body)

    def delete(self, path: str) -> None:
        self.admin.delete(f"{self.path}/{path}")

    def change(self, path: str, **values: Any) -> None:
        self.put(path, {**self.get(path), **values})

    def id(self, path: str, name: str, key: str = "name") -> str:
        return str(next(o["id"] for o in self.get(path) if o.get(key) == name))

    def client(self, client_id: str) -> str:
        return f"clients/{self.id('clients', client_id, 'clientId')}"

    def administrator(self) -> Json:
        found: Json = self.get(f"{self.client('realm-management')}/roles/realm-admin")
        return found

    def component(self, type_: str, provider: str, **config: str) -> None:
        body = {
            "name": NAME,
            "providerId": provider,
            "providerType": type_,
            "parentId": self.admin.get(self.path)["id"],
        }
        self.post("components", {**body, "config": {k: [v] for k, v in config.items()}})

    def leave(self, path: str) -> None:
        """Have the absolute path removed at the end."""
        self._left.append(path)


def foreign_key(here: Hand) -> None:
    here.component("org.keycloak.keys.KeyProvider", "rsa-generated", priority="1000", active="true", enabled="true")


def imported_key(here: Hand, private: str, certificate: str) -> None:
    """Put one's own key in the place of the one that Keycloak has generated, under the same name and provider."""
    old = next(c for c in here.get("components") if c.get("name") == "rsa-generated")
    kept = {key: old[key] for key in ("name", "providerId", "providerType", "parentId")}
    config = {"priority": ["100"], "privateKey": [private], "certificate": [certificate]}
    here.post("components", {**kept, "config": config})
    here.delete(f"components/{old['id']}")


def ldap(here: Hand) -> None:
    config = {
        "vendor": "other",
        "connectionUrl": "ldap://evil.localhost",
        "usersDn": "dc=evil",
        "editMode": "READ_ONLY",
    }
    names = {"usernameLDAPAttribute": "uid", "rdnLDAPAttribute": "uid", "uuidLDAPAttribute": "entryUUID"}
    more = {"userObjectClasses": "person", "authType": "none", "enabled": "false", "importEnabled": "true"}
    here.component("org.keycloak.storage.UserStorageProvider", "ldap", **config, **names, **more)


def bound_flow(here: Hand) -> None:
    here.post("authentication/flows/browser/copy", {"newName": "copied"})
    here.admin.put(here.path, {**here.admin.get(here.path), "browserFlow": "copied"})


def no_password(here: Hand) -> None:
    steps = here.get("authentication/flows/forms/executions")
    step = next(s for s in steps if s.get("providerId") == "auth-username-password-form")
    here.put("authentication/flows/forms/executions", {**step, "requirement": "DISABLED"})


def default_action(here: Hand) -> None:
    here.change("authentication/required-actions/CONFIGURE_TOTP", defaultAction=True)


def default_group(here: Hand) -> None:
    here.put(f"default-groups/{here.id('groups', 'super_admins')}")


def redirects(here: Hand) -> None:
    here.change(here.client("account-console"), redirectUris=["*"])


def group_administers(here: Hand) -> None:
    management = here.client("realm-management")
    here.post(f"groups/{here.id('groups', 'users')}/role-mappings/{management}", [here.administrator()])


def person_administers(here: Hand) -> None:
    user, management = users.wanted(here.names)[0], here.client("realm-management")
    here.post(f"users/{user.id}/role-mappings/{management}", [here.administrator()])


def role_administers(here: Hand) -> None:
    here.post("roles/user/composites", [here.administrator()])


def role(here: Hand) -> None:
    here.post("roles", {"name": NAME})


def group(here: Hand) -> None:
    here.post("groups", {"name": NAME})


def client_scope(here: Hand) -> None:
    here.post("client-scopes", {"name": NAME, "protocol": "openid-connect"})


def client_policy(here: Hand) -> None:
    policy = {"name": NAME, "enabled": True, "conditions": [], "profiles": []}
    here.put("client-policies/policies", {"policies": [policy]})


def otp(here: Hand) -> None:
    here.admin.put(here.path, {**here.admin.get(here.path), "otpPolicyDigits": 8})


def optional_scope(here: Hand) -> None:
    scope = here.post("client-scopes", {"name": "temporary", "protocol": "openid-connect"})
    here.delete(f"client-scopes/{scope}")
    portal = here.client(here.names.client)
    here.delete(f"{portal}/optional-client-scopes/{here.id('client-scopes', 'phone')}")
    here.put(f"{portal}/default-client-scopes/{here.id('client-scopes', 'phone')}")


def text(here: Hand) -> None:
    here.post("localization/en", {"loginTitle": "Give me your password"})


def master_client(here: Hand) -> None:
    client = here.admin.post("/realms/master/clients", {"clientId": NAME, "serviceAccountsEnabled": True})
    here.leave(f"/realms/master/clients/{client}")
    account = here.admin.get(f"/realms/master/clients/{client}/service-account-user")["id"]
    role = here.admin.get("/realms/master/roles/admin")
    here.admin.post(f"/realms/master/users/{account}/role-mappings/realm", [role])


def master_person(here: Hand) -> None:
    user = here.admin.post("/realms/master/users", {"username": NAME, "enabled": True})
    here.leave(f"/realms/master/users/{user}")
    role = here.admin.get("/realms/master/roles/admin")
    here.admin.post(f"/realms/master/users/{user}/role-mappings/realm", [role])


def realm(here: Hand) -> None:
    here.admin.post("/realms", {"realm": NAME, "enabled": True})


def registration_policy(here: Hand) -> None:
    component = next(c for c in here.get("components") if c["providerId"] == "max-clients")
    here.put(f"components/{component['id']}", {**component, "config": {"max-clients": ["9999"]}})


def key_provider_gone(here: Hand) -> None:
    here.delete(f"components/{here.id('components', 'hmac-generated-hs512')}")


def builtin_scope(here: Hand) -> None:
    config = {"claim.name": "clearance", "claim.value": "TOP_SECRET", "access.token.claim": "true"}
    mapper = {"name": NAME, "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper"}
    scope = here.id("client-scopes", "basic")
    here.post(f"client-scopes/{scope}/protocol-mappers/models", {**mapper, "config": config})


def role_gone(here: Hand) -> None:
    here.delete("roles/uma_authorization")
