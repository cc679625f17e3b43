"""What a killed run may have made without Pulumi's knowing of it: a pending create of a resource that is not our own.

Our own providers adopt what is half made. Those of Docker, Keycloak and Postgres refuse it ("already exists"), or
make it twice. Nothing stands on it yet, since nothing goes on before a create is recorded: so it is removed, and the
next run makes it whole. What is found in use after all is left, and told.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker.errors
import psycopg
from psycopg import sql

from dive_infra.automation.stack_state import plaintext
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.networks import called, mark
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError, NotFound

Resource = Mapping[str, Any]
Inputs = Mapping[str, Any]


@dataclass
class Removal:
    """`told`: a line for each resource that was there, or could not be looked for. `absent` are the others' names: a
    server may still be making them."""

    told: list[str] = field(default_factory=list[str])
    absent: list[str] = field(default_factory=list[str])


def remove(made: Iterable[Resource], state: Mapping[str, Any]) -> Removal:
    """Removes what is there of `made`, the resources of pending creates.

    `state` is the stack's, with secrets in plain text: where they would be is read from their providers.
    """
    recorded = [r for r in state["deployment"].get("resources") or [] if r.get("id")]
    providers = {f"{r['urn']}::{r['id']}": r for r in recorded}
    # Of what is being replaced, the old one may still be there, and be recorded.
    kept = {r["urn"] for r in recorded if not r.get("pendingReplacement")}
    removal = Removal()
    for resource in made:
        act = REMOVE.get(resource["type"])
        if act is None or resource["urn"] in kept:
            continue
        name, provider = resource["urn"].rsplit("::", 1)[-1], providers.get(resource.get("provider", ""), {})
        try:
            found = act(plaintext(resource.get("inputs") or {}), plaintext(provider.get("inputs") or {}))
        except (KeycloakError, psycopg.Error, docker.errors.APIError, KeyError) as error:
            removal.absent.append(name)
            removal.told.append(f"{name}: whether it was made could not be told: {' '.join(str(error).split())}")
        else:
            (removal.told if found else removal.absent).append(f"{name}: {found}" if found else name)
    return removal


_PATIENCE = 30.0  # seconds for a request: a realm takes long to make, and to remove
_REMOVED = "was made and not recorded: removed, to be made whole"
_Act = Callable[[Inputs, Inputs], str]


def _network(inputs: Inputs, _provider: Inputs) -> str:
    own = {row["label"]: row["value"] for row in inputs.get("labels", ())}.get("dive.stack")
    found = [n for n in called(engine.client(), inputs["name"]) if mark(n) == own]
    for network in found:
        if network.containers:
            return f"is in use, so it is left; next: docker network rm {inputs['name']}"
        network.remove()
    return _REMOVED if found else ""


# Keycloak. Where an object of its inputs would be: the path that is deleted; raises `NotThere`, or gives none.

_Place = Callable[[KeycloakAdmin, Inputs, str], Iterable[str]]


def _at_keycloak(place: _Place) -> _Act:
    def act(inputs: Inputs, provider: Inputs) -> str:
        access = KeycloakAccess(
            provider["url"] + provider.get("basePath", ""),
            provider["rootCaCertificate"],
            provider["clientSecret"],
            provider["clientId"],
            provider["realm"],
        )
        realm = f"/realms/{inputs.get('realmId') or inputs['realm']}"
        with KeycloakAdmin(access, _PATIENCE) as admin:
            try:
                found = [*place(admin, inputs, realm)]
                for path in found:
                    admin.delete(path)
            except NotFound:
                return ""
        return _REMOVED if found else ""

    return act


def _itself(path: str) -> _Place:
    """`path` is below the realm and names inputs: `/roles/{name}`."""

    def place(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> list[str]:
        wanted = realm + path.format_map(inputs)
        admin.get(wanted)
        return [wanted]

    return place


def _one_of(path: str, key: str, wanted: str, item: str = "", **query: str) -> _Place:
    """The items of the list at `path` whose `key` is the input `wanted`; each is below `item`, by its id."""

    def place(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> list[str]:
        below = realm + path.format_map(inputs)
        rows = admin.get(below, **{k: inputs[v] for k, v in query.items()})
        return [f"{realm + item if item else below}/{row['id']}" for row in rows if row.get(key) == inputs[wanted]]

    return place


def _mapper(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> Iterable[str]:
    holder = "clients/{clientId}" if inputs.get("clientId") else "client-scopes/{clientScopeId}"
    return _one_of(f"/{holder}/protocol-mappers/models", "name", "name")(admin, inputs, realm)


# Postgres.


def _connect(provider: Inputs, database: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host=provider["host"],
        port=int(provider["port"]),
        user=provider["username"],
        password=provider["password"],
        dbname=database,
        sslmode=provider["sslmode"],
        sslrootcert=provider["sslrootcert"],
        connect_timeout=10,
        autocommit=True,
    )


def _role(inputs: Inputs, provider: Inputs) -> str:
    with _connect(provider, provider["database"]) as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [inputs["name"]]).fetchone():
            return ""
        try:
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(inputs["name"])))
        except psycopg.errors.DependentObjectsStillExist:
            return "owns something, so it is left"
    return _REMOVED


def _database(inputs: Inputs, provider: Inputs) -> str:
    name = inputs["name"]
    with _connect(provider, provider["database"]) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return ""
        with _connect(provider, name) as inside:
            if inside.execute("SELECT 1 FROM pg_class WHERE oid >= 16384 LIMIT 1").fetchone():
                return "holds something, so it is left"
        server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    return _REMOVED


REMOVE: Mapping[str, _Act] = {
    "docker:index/network:Network": _network,
    "postgresql:index/role:Role": _role,
    "postgresql:index/database:Database": _database,
    "keycloak:index/realm:Realm": _at_keycloak(_itself("")),
    "keycloak:index/role:Role": _at_keycloak(_itself("/roles/{name}")),
    "keycloak:index/group:Group": _at_keycloak(_one_of("/groups", "name", "name")),
    "keycloak:index/genericProtocolMapper:GenericProtocolMapper": _at_keycloak(_mapper),
    "keycloak:index/customIdentityProviderMapping:CustomIdentityProviderMapping": _at_keycloak(
        _one_of("/identity-provider/instances/{identityProviderAlias}/mappers", "name", "name")
    ),
    "keycloak:openid/client:Client": _at_keycloak(_one_of("/clients", "clientId", "clientId", clientId="clientId")),
    "keycloak:openid/clientScope:ClientScope": _at_keycloak(_one_of("/client-scopes", "name", "name")),
    "keycloak:oidc/identityProvider:IdentityProvider": _at_keycloak(_itself("/identity-provider/instances/{alias}")),
    "keycloak:authentication/flow:Flow": _at_keycloak(_one_of("/authentication/flows", "alias", "alias")),
    "keycloak:authentication/execution:Execution": _at_keycloak(
        _one_of(
            "/authentication/flows/{parentFlowAlias}/executions",
            "providerId",
            "authenticator",
            "/authentication/executions",
        )
    ),
}

# Creates that may be done again: they set what is there already, or our probe sees that it is half made.
AGAIN = frozenset(
    {
        "docker:index/container:Container",
        "keycloak:index/defaultRoles:DefaultRoles",
        "keycloak:index/groupRoles:GroupRoles",
        "keycloak:index/realmDefaultClientScopes:RealmDefaultClientScopes",
        "keycloak:index/realmEvents:RealmEvents",
        "keycloak:index/realmUserProfile:RealmUserProfile",
    }
)
