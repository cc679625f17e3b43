"""Resources that a killed run may have created without Pulumi recording them: pending creates of other providers.

Our own providers adopt a partly created resource. Those of Docker, Keycloak and Postgres refuse it ("already exists")
or create it twice. Nothing depends on it yet, since Pulumi records a create before it continues: it is removed, and the
next run creates it again. A resource that is in use after all is left, and reported.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from dive_infra import engines
from dive_infra.automation.stack_state import plaintext
from dive_infra.clients import postgres
from dive_infra.config.naming import STACK_LABEL
from dive_infra.config.timeouts import POSTGRES_PROVIDER_LOGIN
from dive_infra.engines.engine import EngineError
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError, NotFound
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

Resource = Mapping[str, Any]
Inputs = Mapping[str, Any]


@dataclass
class Removal:
    """`report` has a line for each resource that existed or could not be checked.

    `absent` names the resources that do not exist, or could not be checked: a server may still complete them.
    """

    report: list[str] = field(default_factory=list[str])
    absent: list[str] = field(default_factory=list[str])


def remove(pending: Iterable[Resource], state: Mapping[str, Any]) -> Removal:
    """Remove those resources of pending creates that exist.

    `state` is the stack's, with secrets in plain text: the inputs of the providers say where to look.
    """
    recorded = [r for r in state["deployment"].get("resources") or [] if r.get("id")]
    providers = {f"{r['urn']}::{r['id']}": r for r in recorded}
    # While a resource is being replaced, the old one may still exist and be recorded.
    kept = {r["urn"] for r in recorded if not r.get("pendingReplacement")}
    removal = Removal()
    for resource in pending:
        remover = REMOVERS.get(resource["type"])
        if remover is None or resource["urn"] in kept:
            continue
        name = resource["urn"].rsplit("::", 1)[-1]
        provider = providers.get(resource.get("provider", ""), {})
        try:
            outcome = remover(plaintext(resource.get("inputs") or {}), plaintext(provider.get("inputs") or {}))
        except (KeycloakError, psycopg.Error, EngineError, KeyError) as error:
            removal.absent.append(name)
            removal.report.append(f"{name}: could not be checked: {' '.join(str(error).split())}")
        else:
            (removal.report if outcome else removal.absent).append(f"{name}: {outcome}" if outcome else name)
    return removal


_SECONDS = 30.0  # for a request: creating and removing a realm takes long
_REMOVED = "was created but not recorded: removed, will be created again"
# Inputs of the resource, inputs of its provider -> what was done, "" if the resource does not exist.
_Remover = Callable[[Inputs, Inputs], str]


def _network(inputs: Inputs, _provider: Inputs) -> str:
    own = {row["label"]: row["value"] for row in inputs.get("labels", ())}.get(STACK_LABEL)
    engine = engines.connect()
    found = [n for n in engine.networks_named(inputs["name"]) if n.stack == own]
    for network in found:
        if engine.network_users(network.id):
            remedy = Remedy.run(engine.removal_command("network", inputs["name"]))
            return str(DiveError("is in use, not removed", remedy))
        engine.remove_network(network.id)
    return _REMOVED if found else ""


# Keycloak. A locator returns the paths to delete for an object with these inputs; it raises `NotFound` or returns none.

_Locator = Callable[[KeycloakAdmin, Inputs, str], Iterable[str]]


def _at_keycloak(locate: _Locator) -> _Remover:
    def remover(inputs: Inputs, provider: Inputs) -> str:
        access = KeycloakAccess(
            provider["url"],
            provider["rootCaCertificate"],
            provider["clientSecret"],
            provider["clientId"],
            provider["realm"],
        )
        realm = f"/realms/{inputs.get('realmId') or inputs['realm']}"
        with KeycloakAdmin(access, _SECONDS) as admin:
            try:
                found = [*locate(admin, inputs, realm)]
                for path in found:
                    admin.delete(path)
            except NotFound:
                return ""
        return _REMOVED if found else ""

    return remover


def _itself(path: str) -> _Locator:
    """Return a locator of the one object at `path`, below the realm, which names inputs: `/roles/{name}`."""

    def locate(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> list[str]:
        wanted = realm + path.format_map(inputs)
        admin.get(wanted)
        return [wanted]

    return locate


def _one_of(path: str, key: str, wanted: str, item: str = "", **query: str) -> _Locator:
    """Return a locator of the items at `path` whose `key` equals the input `wanted`; each is at `item`/id."""

    def locate(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> list[str]:
        below = realm + path.format_map(inputs)
        rows = admin.get(below, **{k: inputs[v] for k, v in query.items()})
        return [f"{realm + item if item else below}/{row['id']}" for row in rows if row.get(key) == inputs[wanted]]

    return locate


def _mapper(admin: KeycloakAdmin, inputs: Inputs, realm: str) -> Iterable[str]:
    holder = "clients/{clientId}" if inputs.get("clientId") else "client-scopes/{clientScopeId}"
    return _one_of(f"/{holder}/protocol-mappers/models", "name", "name")(admin, inputs, realm)


# Postgres.


def _connect(provider: Inputs, database: str) -> "psycopg.Connection[Any]":
    return postgres.isolated(
        host=provider["host"],
        port=int(provider["port"]),
        user=provider["username"],
        password=provider["password"],
        dbname=database,
        sslmode=provider["sslmode"],
        sslrootcert=provider["sslrootcert"],
        connect_timeout=POSTGRES_PROVIDER_LOGIN,
    )


def _role(inputs: Inputs, provider: Inputs) -> str:
    with _connect(provider, provider["database"]) as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [inputs["name"]]).fetchone():
            return ""
        try:
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(inputs["name"])))
        except psycopg.errors.DependentObjectsStillExist:
            return "owns objects, not removed"
    return _REMOVED


def _database(inputs: Inputs, provider: Inputs) -> str:
    name = inputs["name"]
    with _connect(provider, provider["database"]) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return ""
        with _connect(provider, name) as inside:
            if inside.execute("SELECT 1 FROM pg_class WHERE oid >= 16384 LIMIT 1").fetchone():
                return "holds tables or data, not removed"
        server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    return _REMOVED


REMOVERS: Mapping[str, _Remover] = {
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

# Creates that can be repeated: they set what exists already, or our probe detects a partly created resource.
REPEATABLE = frozenset(
    {
        "docker:index/container:Container",
        "keycloak:index/defaultRoles:DefaultRoles",
        "keycloak:index/groupRoles:GroupRoles",
        "keycloak:index/realmDefaultClientScopes:RealmDefaultClientScopes",
        "keycloak:index/realmEvents:RealmEvents",
        "keycloak:index/realmUserProfile:RealmUserProfile",
    }
)
