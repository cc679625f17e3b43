"""What is protected stays; what is destroyed leaves nothing behind."""

import docker
import pytest

from tests.coalition.country import Country
from tests.coalition.live import keycloak, record, remains, running, told

pytestmark = pytest.mark.timeout(1500)


def test_a_hub_that_is_down_is_named_before_a_spoke_is_touched(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    for service in ("postgres", "keycloak"):
        docker_engine.containers.get(usa.names.container(service)).stop()
    run = fra.up(documents=220)
    assert not run.ok
    assert "hub" in run.messages.lower()
    assert "Traceback" not in run.messages
    healed = usa.up()
    assert healed.ok, told(healed)


def test_a_protected_country_is_not_destroyed_and_says_what_it_protects(
    fra: Country, docker_engine: docker.DockerClient
) -> None:
    resumed = fra.up(disposable=False)
    assert resumed.ok, told(resumed)
    before = running(docker_engine)
    run = fra.destroy()
    assert not run.ok
    assert "the data of FRA is protected" in run.messages
    assert all(fra.names.data_volume(s) in run.messages for s in ("postgres", "mongodb", "redis"))
    assert running(docker_engine) == before, "nothing was stopped"
    assert fra.up(disposable=True).ok


def test_a_hub_in_use_is_not_destroyed(usa: Country, docker_engine: docker.DockerClient) -> None:
    before = running(docker_engine)
    run = usa.destroy()
    assert not run.ok
    assert "the hub is still in use" in run.messages
    assert "pulumi destroy -s fra" in run.messages
    assert running(docker_engine) == before, "nothing was stopped"


def test_a_destroyed_spoke_leaves_nothing_behind_and_nothing_at_the_hub(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    for service in ("keycloak", "postgres", "mongodb"):  # what is stopped need not be asked
        docker_engine.containers.get(fra.names.container(service)).stop()
    run = fra.destroy()
    assert run.ok, told(run)
    assert not remains(docker_engine, "dive.country=FRA")
    with keycloak(usa) as admin:
        aliases = [i["alias"] for i in admin.get(f"/realms/{usa.names.realm}/identity-provider/instances")]
        clients = [c["clientId"] for c in admin.get(f"/realms/{usa.names.realm}/clients")]
        people = [u["username"] for u in admin.get(f"/realms/{usa.names.realm}/users", max=1000)]
    assert "fra-idp" not in aliases
    assert "dive-v3-broker-fra" not in clients
    assert not [name for name in people if "-fra-" in name]
    again = usa.up()
    assert again.ok, told(again)
    assert not any(name.endswith("-container") for name in again.changes), told(again)


def test_a_country_that_leaves_takes_its_place_at_the_hub_with_it(usa: Country) -> None:
    """No role, no row, no secret of it is left; what it did stays in the record."""
    run = usa.up(spokes=["DEU"])
    assert run.ok, told(run)
    assert {"admission-fra", "databases-orchestration-fra", "approval-fra"} <= run.changed("delete")
    with record(usa) as store:
        roles = store.query(lambda live: live.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^orchestration_'"))
        assert [name for (name,) in roles] == ["orchestration_deu"]
    again = usa.up()
    assert again.ok, told(again)
    assert not again.changes, told(again)


def test_the_destroyed_hub_leaves_an_empty_engine(usa: Country, docker_engine: docker.DockerClient) -> None:
    run = usa.destroy()
    assert run.ok, told(run)
    assert not remains(docker_engine)
