"""Recovery finds by a pending create what exists without being recorded, and removes it; what is recorded stays."""

from collections.abc import Mapping
from typing import Any

import docker
import psycopg
import pytest

from dive_infra.automation.pending_creates import REMOVERS, Removal, remove
from dive_infra.automation.stack_state import plaintext
from dive_infra.catalog.datastores import SUPERUSER
from dive_infra.clients.trust import ca_file
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from tests.coalition.country import Country
from tests.coalition.live import keycloak, told

pytestmark = pytest.mark.timeout(600)

NAME = "half-made"
REMOVED = "was created but not recorded: removed, will be created again"
MAPPER = {"name": NAME, "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {}}


@pytest.fixture(scope="module")
def state(usa: Country, fra: Country) -> dict[str, Any]:
    """Return the state of France, deployed."""
    for country in (usa, fra):
        if not country.resources():
            run = country.up()
            assert run.ok, told(run)
    return fra.state()


def begun(state: Mapping[str, Any], kind: str, **inputs: str) -> dict[str, Any]:
    """A create of `kind` that has no end, as a recorded resource of that type but with these inputs."""
    like = next(r for r in state["deployment"]["resources"] if r["type"] == kind)
    return {**like, "urn": f"{like['urn']}-{NAME}", "inputs": {**like["inputs"], **inputs}}


# type -> what is posted below the realm, and the inputs of the create that made it
OBJECTS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, str]]] = {
    "keycloak:index/role:Role": ("roles", {"name": NAME}, {"name": NAME}),
    "keycloak:index/group:Group": ("groups", {"name": NAME}, {"name": NAME}),
    "keycloak:openid/client:Client": ("clients", {"clientId": NAME}, {"clientId": NAME}),
    "keycloak:openid/clientScope:ClientScope": (
        "client-scopes",
        {"name": NAME, "protocol": "openid-connect"},
        {"name": NAME},
    ),
    "keycloak:authentication/flow:Flow": (
        "authentication/flows",
        {"alias": NAME, "providerId": "basic-flow", "topLevel": True, "builtIn": False},
        {"alias": NAME},
    ),
    "keycloak:authentication/execution:Execution": (
        "authentication/flows/first%20broker%20login/copy",
        {"newName": NAME},
        {"parentFlowAlias": NAME, "authenticator": "idp-review-profile"},
    ),
    "keycloak:oidc/identityProvider:IdentityProvider": (
        "identity-provider/instances",
        {
            "alias": NAME,
            "providerId": "oidc",
            "config": {"clientId": "x", "authorizationUrl": "https://x", "tokenUrl": "https://x"},
        },
        {"alias": NAME},
    ),
    "keycloak:index/customIdentityProviderMapping:CustomIdentityProviderMapping": (
        "identity-provider/instances/usa-idp/mappers",
        {"name": NAME, "identityProviderAlias": "usa-idp", "identityProviderMapper": "oidc-user-attribute-idp-mapper"},
        {"name": NAME},
    ),
}


def listed(admin: KeycloakAdmin, realm: str) -> dict[str, list[str]]:
    """Return the names of all objects of the realm."""
    found = {
        part: sorted(
            str(row.get("name") or row.get("alias") or row.get("clientId"))
            for row in admin.get(f"/realms/{realm}/{part}")
        )
        for part in (
            "roles",
            "groups",
            "clients",
            "client-scopes",
            "authentication/flows",
            "identity-provider/instances",
        )
    }
    found["mappers"] = sorted(
        m["name"] for m in admin.get(f"/realms/{realm}/identity-provider/instances/usa-idp/mappers")
    )
    return found


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda k: k.rsplit(":", 1)[-1])
def test_an_object_of_keycloak_is_removed_and_no_other(fra: Country, state: dict[str, Any], kind: str) -> None:
    path, body, inputs = OBJECTS[kind]
    with keycloak(fra) as admin:
        before = listed(admin, fra.names.realm)
        admin._send("POST", f"/realms/{fra.names.realm}/{path.replace('%20', ' ')}", json=body)
        pending = begun(state, kind, **inputs)
        name = pending["urn"].rsplit("::", 1)[-1]
        if kind.endswith(":Execution"):
            steps = f"/realms/{fra.names.realm}/authentication/flows/{NAME}/executions"
            assert "idp-review-profile" in [row.get("providerId") for row in admin.get(steps)]
            assert remove([pending], state).report == [f"{name}: {REMOVED}"]
            assert "idp-review-profile" not in [row.get("providerId") for row in admin.get(steps)]
            remove([begun(state, "keycloak:authentication/flow:Flow", alias=NAME)], state)
        else:
            assert listed(admin, fra.names.realm) != before
            assert remove([pending], state).report == [f"{name}: {REMOVED}"]
        assert listed(admin, fra.names.realm) == before
        assert remove([pending], state).absent == [name], "nothing is there any more"


@pytest.mark.parametrize("holder", ["clientId", "clientScopeId"])
def test_a_mapper_is_removed_from_its_holder(fra: Country, state: dict[str, Any], holder: str) -> None:
    kind = "keycloak:index/genericProtocolMapper:GenericProtocolMapper"
    like = next(r for r in state["deployment"]["resources"] if r["type"] == kind and r["inputs"].get(holder))
    place = {"clientId": "clients", "clientScopeId": "client-scopes"}[holder]
    path = f"/realms/{fra.names.realm}/{place}/{like['inputs'][holder]}/protocol-mappers/models"
    pending = {**like, "urn": f"{like['urn']}-{NAME}", "inputs": {**like["inputs"], "name": NAME}}
    with keycloak(fra) as admin:
        before = admin.get(path)
        admin.post(path, MAPPER)
        assert len(remove([pending], state).report) == 1
        assert admin.get(path) == before


def test_a_realm_is_removed(fra: Country, state: dict[str, Any]) -> None:
    with keycloak(fra) as admin:
        admin.post("/realms", {"realm": NAME, "enabled": False})
        assert len(remove([begun(state, "keycloak:index/realm:Realm", realm=NAME)], state).report) == 1
        with pytest.raises(NotFound):
            admin.get(f"/realms/{NAME}")


def test_what_is_recorded_is_never_removed(fra: Country, state: dict[str, Any]) -> None:
    recorded = [r for r in state["deployment"]["resources"] if r["type"] in REMOVERS]
    assert {r["type"] for r in recorded} == REMOVERS.keys()
    assert remove(recorded, state) == Removal()
    with keycloak(fra) as admin:
        assert admin.get(f"/realms/{fra.names.realm}")


def superuser(country: Country, state: Mapping[str, Any]) -> "psycopg.Connection[Any]":
    secret = next(r for r in state["deployment"]["resources"] if r["urn"].endswith("::secret-postgres-superuser"))
    return psycopg.connect(
        host=country.names.host("postgres"),
        hostaddr=country.names.published,
        port=country.names.port("postgres"),
        user=SUPERUSER,
        password=plaintext(secret["outputs"]["value"]),
        dbname=SUPERUSER,
        sslmode="verify-full",
        sslrootcert=str(ca_file(country.outputs()["ca_certificate"])),
        autocommit=True,
    )


def test_a_role_and_an_empty_database_are_removed_and_a_full_one_is_left(fra: Country, state: dict[str, Any]) -> None:
    role = begun(state, "postgresql:index/role:Role", name=NAME)
    database = begun(state, "postgresql:index/database:Database", name=NAME)
    with superuser(fra, state) as server:
        server.execute(f'CREATE ROLE "{NAME}"'.encode())
        server.execute(f'CREATE DATABASE "{NAME}" OWNER "{NAME}"'.encode())
        (told,) = remove([role], state).report
        assert told.endswith("owns objects, not removed")
        assert [line.partition(": ")[2] for line in remove([database, role], state).report] == [REMOVED, REMOVED]
    full = begun(state, "postgresql:index/database:Database", name="keycloak")
    (told,) = remove([full], state).report
    assert told.endswith("holds tables or data, not removed")


def test_a_network_of_ours_is_removed_and_any_other_left(
    fra: Country, state: dict[str, Any], docker_engine: docker.DockerClient
) -> None:
    kind, name = "docker:index/network:Network", f"{fra.names.network}-{NAME}"
    pending = begun(state, kind, name=name)
    labels = {row["label"]: row["value"] for row in pending["inputs"]["labels"]}
    other = docker_engine.networks.create(name, labels={**labels, "dive.stack": "fra-0000"})
    try:
        assert not remove([pending], state).report
    finally:
        other.remove()
    docker_engine.networks.create(name, labels=labels)
    assert len(remove([pending], state).report) == 1
    assert not docker_engine.networks.list(names=[name])
