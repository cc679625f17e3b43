"""What the sweep of realms adds, generated from the realm that Keycloak ships."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, RequestRefused
from dive_infra.identity.pristine import pristine
from tests.support import realm_additions
from tests.support.realm_additions import ADDED, Addition, additions, requests
from tests.support.realm_mutations import Resource, mutations, own

REALM = "shipped"
AT = f"/realms/{REALM}"
_EMPTY: dict[str, dict[str, Any]] = {
    "realm": {"smtpServer": {}, "webAuthnPolicyAcceptableAaguids": [], "supportedLocales": []},
    "client": {"webOrigins": [], "redirectUris": [], "attributes": {}, "authenticationFlowBindingOverrides": {}},
    "role": {"attributes": {}},
    "client role": {"attributes": {}},
}


def recorded() -> list[tuple[Resource, Any]]:
    """Return the shipped realm as the admin API shows it: with ids, lists of mappers, and what is empty."""
    found: list[tuple[Resource, Any]] = []

    def add(kind: str, path: str, body: Any, empty: str = "") -> None:
        found.append((Resource(kind, path), copy.deepcopy(_EMPTY.get(empty or kind, {})) | body))

    tree = pristine(REALM).realm
    add("realm", AT, tree["realm"][REALM])
    for kind, listed, key in (("client", "clients", "clientId"), ("client scope", "client-scopes", "name")):
        for name, body in tree[kind].items():
            path = f"{AT}/{listed}/{name}"
            add(kind, path, {"id": name, key: name, **body})
            for mapper, row in body.get("protocolMappers", {}).items():
                config = {k: v for k, v in row.items() if k not in ("kind", "protocol")}
                held = {"name": mapper, "protocol": row["protocol"], "protocolMapper": row["kind"], "config": config}
                add(kind, f"{path}/protocol-mappers/models/{mapper}", held, "mapper")
    for kind in ("role", "client role"):
        for name, body in tree[kind].items():
            add("role", f"{AT}/roles-by-id/{name.replace('/', '-')}", {"id": name, "name": name, **body}, kind)
    for name, body in tree["component"].items():
        add("component", f"{AT}/components/{name}", body)
    add("client policy", f"{AT}/client-policies/policies", {"policies": []})
    add("login flow", f"{AT}/authentication/flows/own", {"id": "flow-1", "alias": "own", "builtIn": False})
    return found


def added() -> dict[str, dict[str, Any]]:
    """Return path of the resource -> path of what is added to it -> value."""
    found: dict[str, dict[str, Any]] = {}
    for addition in additions(recorded()):
        found.setdefault(addition.resource.get, {})[".".join(map(str, addition.path))] = addition.given
    return found


def test_what_changes_cannot_reach_is_added_to() -> None:
    """Each list and map of the representation that is empty, and each unset field, has an addition."""
    reached = {(a.resource.get, a.path) for a in additions(recorded())}
    for resource, body in recorded():
        for mutation in mutations(resource, body):
            if mutation.exempt or mutation.changed(body) is not None:
                continue
            path = mutation.path
            within = {p for where, p in reached if where == resource.get and p[: len(path)] == path}
            assert within, f"nothing is added at {mutation.name}"


def test_what_fits_is_taken_from_another_object() -> None:
    found = added()
    console = found[f"{AT}/clients/account-console"]
    assert console["webOrigins"] == ["+"], "as at another client"
    [*kept, one] = console["redirectUris"]
    assert kept == [f"/realms/{REALM}/account/*"]
    assert one not in kept
    assert found[f"{AT}/clients/realm-management"]["baseUrl"].startswith("/"), "an unset field that others have"


def test_what_no_object_has_is_in_a_table() -> None:
    found = added()
    realm = found[AT]
    assert realm["webAuthnPolicyAcceptableAaguids"] == ["0" * 32]
    assert realm["smtpServer.host"] == "mail.added.localhost"
    assert realm["passwordPolicy"] == "length(8)"
    assert found[f"{AT}/client-policies/policies"]["policies"][0]["name"] == ADDED
    client = found[f"{AT}/clients/account"]
    assert client["authenticationFlowBindingOverrides.browser"] == "flow-1"
    assert client["description"] == ADDED
    assert found[f"{AT}/roles-by-id/offline_access"][f"attributes.{ADDED}"] == [ADDED], "a role's values are lists"


def test_an_exempt_key_is_never_added() -> None:
    keys = {str(addition.path[-1]) for addition in additions(recorded()) if not addition.exempt}
    assert not keys & {"id", "secret", "clientSecret", "privateKey", "certificate", "frontendUrl"}


def test_each_addition_is_another_representation_and_names_itself() -> None:
    bodies = {resource.get: body for resource, body in recorded()}
    every = list(additions(recorded()))
    for addition in every:
        body = bodies[addition.resource.get]
        assert addition.changed(body) != body, addition.name
        assert addition.changed(own(body)) is not None
    assert len({addition.name for addition in every}) == len(every)


@dataclass
class Server(KeycloakAdmin):
    """An admin API of one object that keeps attributes which it is not given, and takes requests of their own."""

    held: dict[str, Any]
    refuses: bool = False
    asked: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    access: KeycloakAccess = field(default_factory=lambda: KeycloakAccess("https://idp.localhost", "", ""))

    def get(self, path: str, **params: str | int | bool) -> Any:
        return copy.deepcopy(self.held)

    def put(self, path: str, body: Any = None) -> None:
        self._ask("PUT", path, body)
        kept = self.held["attributes"]
        for key, value in body["attributes"].items():
            kept[key] = value
        self.held = {**body, "attributes": {k: v for k, v in kept.items() if v != ""}}

    def post(self, path: str, body: object) -> str:
        self._ask("POST", path, body)
        return "new-id"

    def delete(self, path: str, body: object | None = None) -> None:
        self._ask("DELETE", path, body)

    def _ask(self, method: str, path: str, body: Any) -> None:
        self.asked.append((method, path, json.loads(json.dumps(body))))
        if self.refuses:
            raise RequestRefused("400")


def client() -> dict[str, Any]:
    return {"clientId": "portal", "attributes": {"x": "y"}, "webOrigins": []}


@pytest.mark.parametrize(("path", "given"), [(("attributes", ADDED), ADDED), (("webOrigins",), ["https://a"])])
def test_an_addition_is_undone_where_the_server_keeps_what_it_is_not_given(path: tuple[str, ...], given: Any) -> None:
    server = Server(client())
    with Addition(Resource("client", f"{AT}/clients/1"), path, given).made(server) as taken:
        assert taken
        assert server.held != client()
    assert server.held == client()


def test_what_the_server_refuses_is_not_counted_and_not_undone() -> None:
    server = Server(client(), refuses=True)
    for change in (
        Addition(Resource("client", f"{AT}/clients/1"), ("attributes", ADDED), ADDED),
        realm_additions.Request("role", f"{AT}/roles", {"name": ADDED}, f"{AT}/roles/{ADDED}"),
    ):
        with change.made(server) as taken:
            assert not taken
    assert [method for method, _, _ in server.asked] == ["PUT", "POST"]


@pytest.mark.parametrize("removal", [f"{AT}/groups/{{id}}", ""])
def test_a_request_is_taken_back_by_id_or_with_its_own_body(removal: str) -> None:
    server = Server(client())
    with realm_additions.Request("group", f"{AT}/groups", {"name": ADDED}, removal).made(server) as taken:
        assert taken
    undone = ("DELETE", f"{AT}/groups/new-id", None) if removal else ("DELETE", f"{AT}/groups", {"name": ADDED})
    assert server.asked == [("POST", f"{AT}/groups", {"name": ADDED}), undone]


class Shipped(Server):
    """The shipped realm, with one group, one identity provider and one step that takes a configuration."""

    def get(self, path: str, **params: str | int | bool) -> Any:
        return next((list(rows) for end, rows in _LISTS.items() if path.removeprefix(f"{AT}/") == end), [])


def _named(kind: str, key: str) -> Iterator[dict[str, Any]]:
    return ({"id": name, key: name, **body} for name, body in pristine(REALM).realm[kind].items())


_LISTS: dict[str, list[dict[str, Any]]] = {
    "roles": list(_named("role", "name")),
    "client-scopes": list(_named("client scope", "name")),
    "clients": list(_named("client", "clientId")),
    "groups": [{"id": "g", "name": "users"}],
    "identity-provider/instances": [{"alias": "fra-idp"}],
    "authentication/flows": [{"alias": "own", "builtIn": False}],
    "authentication/flows/own/executions": [{"id": "s", "configurable": True}],
    "authentication/unregistered-required-actions": [{"providerId": "later", "name": "Later"}],
    "components": [{"id": "c", "name": "max", "providerType": "x.ClientRegistrationPolicy", "config": {}}],
}


def test_everything_that_can_be_added_by_a_request_of_its_own_is_added_once() -> None:
    every = list(requests(Shipped({}), REALM))
    asked = {(r.path.removeprefix(f"{AT}/"), json.dumps(r.body)) for r in every}
    assert len(asked) == len(every)
    paths = {path for path, _ in asked}
    assert {
        "clients",
        "localization/en",
        "default-groups/g",
        "clients/account/protocol-mappers/models",
        "clients/account/scope-mappings/realm",
        "client-scopes/basic/scope-mappings/realm",
        "roles-by-id/uma_authorization/composites",
        "groups/g/children",
        "groups/g/role-mappings/realm",
        "identity-provider/instances/fra-idp/mappers",
        "authentication/flows/own/executions/execution",
        "authentication/executions/s/config",
        "authentication/register-required-action",
        "components",
    } <= paths
    for request in every:
        assert request.removal or isinstance(request.body, list) or request.put, f"{request.name} stays"
        assert "{id}" not in request.path
