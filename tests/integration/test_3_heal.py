"""What is damaged is healed by a plain update, and nothing else is touched."""

import json
from collections.abc import Callable
from typing import Any

import docker
import pytest

from dive_infra.cli.drift import unseen
from dive_infra.machine.containers import look
from dive_infra.seeds.store import connect
from tests.integration.coalition import Country
from tests.integration.live import documents, keycloak, running, told

pytestmark = pytest.mark.timeout(1500)


HEALS: list[tuple[str, str, Callable[[Any], None], set[str]]] = [
    ("FRA", "redis", lambda c: c.stop(), {"redis-gate"}),
    ("FRA", "frontend", lambda c: c.stop(), {"frontend-gate"}),
    ("FRA", "keycloak", lambda c: c.kill(), {"keycloak-gate"}),
    ("FRA", "postgres", lambda c: c.stop(), {"postgres-gate"}),
    ("FRA", "opa", lambda c: c.remove(force=True), {"opa-probe", "opa-container", "opa-gate"}),
    ("FRA", "mongodb", lambda c: c.remove(force=True), {"mongodb-probe", "mongodb-container", "mongodb-gate"}),
    ("USA", "backend", lambda c: c.remove(force=True), {"backend-probe", "backend-container", "backend-gate"}),
    ("FRA", "kas", lambda c: c.kill(), {"kas-gate"}),
    ("FRA", "opal-client", lambda c: c.stop(), {"opal-client-gate"}),
    ("USA", "opal-server", lambda c: c.stop(), {"opal-server-gate"}),
]


@pytest.mark.parametrize(("code", "service", "damage", "mended"), HEALS, ids=[f"{c}-{s}" for c, s, _, _ in HEALS])
def test_a_plain_update_heals_one_service_and_touches_no_other(
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    code: str,
    service: str,
    damage: Callable[[Any], None],
    mended: set[str],
) -> None:
    country = {"USA": usa, "FRA": fra}[code]
    name = country.names.container(service)
    before = running(docker_engine)
    damage(docker_engine.containers.get(name))
    run = country.up()
    assert run.ok, told(run)
    assert mended <= run.changes.keys(), told(run)
    after = running(docker_engine)
    assert look(docker_engine, name).healthy
    assert {n: v for n, v in after.items() if n != name} == {n: v for n, v in before.items() if n != name}
    again = country.up()
    assert again.ok, told(again)
    assert not again.changes, told(again)


def test_a_deleted_and_an_altered_document_are_mended_alone(fra: Country) -> None:
    with connect(documents(fra)) as database:
        ids = sorted(d["_id"] for d in database["resources"].find({}, {"_id": True}))
        kept = database["resources"].find_one({"_id": ids[2]})
        database["resources"].delete_one({"_id": ids[0]})
        database["resources"].update_one(
            {"_id": ids[1]}, {"$set": {"classification": "UNCLASSIFIED", "title": "forged"}}
        )
    seen = fra.preview()
    assert seen.changes.get("seed") == "update", told(seen)
    run = fra.up()
    assert run.ok, told(run)
    assert not any(name.endswith(("-container", "-gate")) for name in run.changes), told(run)
    with connect(documents(fra)) as database:
        assert sorted(d["_id"] for d in database["resources"].find({}, {"_id": True})) == ids
        assert database["resources"].find_one({"_id": ids[1]}, {"title": True})["title"] != "forged"
        assert database["resources"].find_one({"_id": ids[2]}) == kept, "an unharmed one is not written again"


def test_a_deleted_user_is_made_again_with_the_same_id(fra: Country) -> None:
    realm = fra.names.realm
    with keycloak(fra) as admin:
        user = admin.get(f"/realms/{realm}/users", username="testuser-fra-1", exact=True)[0]
        admin.delete(f"/realms/{realm}/users/{user['id']}")
        run = fra.up()
        assert run.ok, told(run)
        assert run.changes.get("test-users") == "update", told(run)
        again = admin.get(f"/realms/{realm}/users", username="testuser-fra-1", exact=True)[0]
    assert again["id"] == user["id"]


def test_what_was_changed_inside_keycloak_is_found_and_mended_by_a_refresh(
    fra: Country, docker_engine: docker.DockerClient
) -> None:
    """A mapper of the portal's client is deleted by hand: `./dive up` finds it, and a refresh mends that alone."""
    before = running(docker_engine)
    state = json.loads(fra.pulumi("stack", "export", "--show-secrets").stdout)
    assert not unseen(state)
    with keycloak(fra) as admin:
        realm = f"/realms/{fra.names.realm}"
        client = admin.get(f"{realm}/clients", clientId=fra.names.client)[0]
        mapper = next(m for m in client["protocolMappers"] if m["name"] == "realm_roles")
        admin.delete(f"{realm}/clients/{client['id']}/protocol-mappers/models/{mapper['id']}")
    found = unseen(state)
    assert found
    assert all("--refresh" in f.remedy for f in found)
    run = fra.run("up", "--refresh")
    assert run.ok, told(run)
    assert not unseen(json.loads(fra.pulumi("stack", "export", "--show-secrets").stdout))
    assert running(docker_engine) == before
