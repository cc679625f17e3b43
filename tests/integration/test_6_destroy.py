"""What is protected stays; what is destroyed leaves nothing behind."""

import re
from signal import SIGKILL

import docker
import pytest

from dive_infra.config.countries import parse
from dive_infra.identity import https
from tests.coalition.country import Country
from tests.coalition.live import keycloak, remains, running, secrets, told
from tests.integration.seen import shown
from tests.support import members

pytestmark = pytest.mark.timeout(1500)


def test_no_secret_was_printed_by_any_run_before(usa: Country, fra: Country) -> None:
    """As in `test_5_secrets`; also by runs that were killed, and by those after it."""
    known = secrets(usa) | secrets(fra) | usa.secrets | fra.secrets
    for country in (usa, fra):
        assert country.printed, "else nothing would be searched"
        assert shown(known, "\n".join(country.printed)) == []


def test_a_hub_in_use_is_neither_destroyed_nor_nuked(usa: Country, docker_engine: docker.DockerClient) -> None:
    before = running(docker_engine)
    run = usa.destroy()
    assert not run.ok
    assert "the hub is still in use" in run.messages
    assert "pulumi destroy -s fra" in run.messages
    done = usa.dive("nuke", "USA", "--yes")
    assert done.returncode == 1
    assert re.search(r"; next: (\./dive nuke \w+, )*\./dive nuke FRA\n", done.stderr), "DEU, too, if it was approved"
    unsure = usa.dive("nuke", "FRA")
    assert unsure.returncode == 2, "nobody is there to type the code"
    assert running(docker_engine) == before, "nothing was stopped"


def test_a_destroyed_country_leaves_nothing_but_clean_rows(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """Though some of it is stopped: what is stopped need not be asked."""
    fra.secrets |= secrets(fra)
    for service in ("keycloak", "postgres", "mongodb"):
        docker_engine.containers.get(fra.names.container(service)).stop()
    gone = fra.destroy()
    assert gone.ok, told(gone)
    assert not remains(docker_engine, "dive.country=FRA")
    assert "fra-idp" in _partners_of(usa), "the hub declares its own side, as long as it approves the country"


def _partners_of(usa: Country) -> set[str]:
    with keycloak(usa) as admin:
        return {i["alias"] for i in admin.get(f"/realms/{usa.names.realm}/identity-provider/instances")}


def test_a_half_deployed_country_is_nuked_to_nothing(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """Its deployment was killed: it left containers, pending operations and a lock."""
    before = running(docker_engine)
    killed = fra.up_until(lambda name: name == "keycloak-container", [SIGKILL], disposable=False)
    assert not killed.ok
    assert running(docker_engine).keys() > before.keys()
    fra.secrets |= secrets(fra)
    done = fra.dive("nuke", "FRA", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for proof in ("the engine holds no object of FRA", "the state of stack fra holds no resource"):
        assert f"✓ {proof}" in done.stderr
    assert not remains(docker_engine, "dive.country=FRA")
    assert running(docker_engine) == before, "nobody else is touched"
    again = fra.dive("nuke", "FRA", "--yes")
    assert again.returncode == 0
    assert "nothing to remove of FRA" in again.stderr


def test_a_protected_country_is_not_destroyed_and_says_what_it_protects(
    usa: Country, docker_engine: docker.DockerClient
) -> None:
    """`test_5_verbs` has protected the hub."""
    before = running(docker_engine)
    run = usa.destroy()
    assert not run.ok
    assert "the data of USA is protected" in run.messages
    assert all(usa.names.data_volume(s) in run.messages for s in ("postgres", "mongodb", "redis"))
    assert running(docker_engine) == before, "nothing was stopped"


def test_a_country_that_leaves_takes_its_place_at_the_hub_with_it(
    usa: Country, docker_engine: docker.DockerClient
) -> None:
    """No person, no secret, no key of it is left. Nothing restarts at anybody."""
    before = running(docker_engine)
    members.write_request(usa.home, usa.names.of(parse("DEU")))
    run = usa.up(spokes=["DEU"], disposable=True)
    assert run.ok, told(run)
    assert running(docker_engine) == before
    assert {"ca-fra", "probe-fra", "link-to-fra-idp"} <= run.changed("delete")
    assert _partners_of(usa) == {"deu-idp"}
    with keycloak(usa) as admin:
        realm = f"/realms/{usa.names.realm}"
        assert not admin.get(f"{realm}/clients", clientId=usa.names.of(parse("FRA")).client)
        assert not [u for u in admin.get(f"{realm}/users", max=1000) if "-fra" in u["username"]]
    with https.client(usa.outputs()["ca_certificate"], 10, usa.names) as http:
        published = http.get(f"{usa.names.url('backend')}/.well-known/dive-coalition").raise_for_status().json()
    assert published["payload"]["members"].keys() == {"USA", "DEU"}


def test_the_destroyed_hub_leaves_an_empty_engine(usa: Country, docker_engine: docker.DockerClient) -> None:
    run = usa.destroy()
    assert run.ok, told(run)
    assert not remains(docker_engine)
