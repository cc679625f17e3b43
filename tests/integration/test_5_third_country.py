"""A third country beside the other two: approved, deployed with all, linked, and removed. With --whole only.

Each verb that it needs is part of every run, at France: `test_2_up`, `test_5_verbs`, `test_6_destroy`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from dive_infra.checks.verification import path
from dive_infra.identity.login import login
from dive_infra.orchestration.overview import overview
from dive_infra.seeds.documents import identifier
from tests.coalition.country import Country
from tests.coalition.live import record, remains, running, told

pytestmark = [pytest.mark.timeout(1500), pytest.mark.whole]


@pytest.fixture(scope="module")
def gbr(usa: Country, fra: Country, home: Path) -> Iterator[Country]:
    country = Country("GBR", home)
    country.init()
    approved = usa.up(spokes=["FRA", "GBR"])
    assert approved.ok, told(approved)
    yield country
    usa.configuration.pop("dive:spokes", None)
    left = usa.up()
    assert left.ok, told(left)


def others(client: docker.DockerClient, names: str) -> dict[str, tuple[str, str]]:
    """Return the running containers of all other countries."""
    return {name: seen for name, seen in running(client).items() if f"-{names}-" not in name}


def test_all_countries_come_up_side_by_side_and_what_is_up_is_left_alone(
    usa: Country, gbr: Country, docker_engine: docker.DockerClient
) -> None:
    before = others(docker_engine, "gbr")
    done = gbr.dive("up", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 countries deployed and verified" in done.stderr
    for code in ("USA", "FRA", "GBR"):
        assert re.search(rf"✓ {code} +verified +\d+ s", done.stderr), done.stderr
    assert others(docker_engine, "gbr") == before, "USA and FRA keep their containers"
    assert len([name for name in running(docker_engine) if "-gbr-" in name]) == 9


@pytest.mark.parametrize(("portal", "home_country"), [("USA", "GBR"), ("GBR", "USA"), ("USA", "FRA"), ("FRA", "USA")])
def test_people_of_linked_countries_sign_in_at_each_other(
    usa: Country, fra: Country, gbr: Country, portal: str, home_country: str
) -> None:
    countries = {"USA": usa, "FRA": fra, "GBR": gbr}
    at, of = countries[portal], countries[home_country]
    password, ca = of.outputs()["test_user_password"], at.outputs()["ca_certificate"]
    with login(at.names, of.names, f"testuser-{of.stack}-2", password, ca) as session:
        assert session.hosts == path(at.names, of.names)
        assert session.claims["countryOfAffiliation"] == home_country


def test_two_spokes_are_linked_without_the_hub(usa: Country, fra: Country, gbr: Country) -> None:
    """The first one's link is pending, which is no failure; the second one proves it, and the first one's next run."""
    proven = f"{fra.code} can log in at {gbr.code}"
    first = fra.up(partners=["GBR"])
    assert first.ok, told(first)
    assert f"a user from {proven}" in first.messages, "pending"
    for country, partner in ((gbr, "FRA"), (fra, "GBR")):
        run = country.up(partners=[partner])
        assert run.ok, told(run)
        with record(country) as store:
            links = store.query(lambda live, code=country.code: overview(live, code)).links
        assert {
            (link.source, link.target): link.status for link in links if "USA" not in (link.source, link.target)
        } == {
            ("FRA", "GBR"): "ACTIVE",
            ("GBR", "FRA"): "ACTIVE",
        }
    password, ca = gbr.outputs()["test_user_password"], fra.outputs()["ca_certificate"]
    with login(fra.names, gbr.names, "testuser-gbr-2", password, ca) as session:
        assert session.hosts == path(fra.names, gbr.names)
        assert session.document(identifier(fra.names, 1)).status_code == 200
    fra.configuration.pop("dive:partners")
    left = fra.up()
    assert left.ok, told(left)


def test_a_hub_with_spokes_is_not_nuked(usa: Country, gbr: Country, docker_engine: docker.DockerClient) -> None:
    before = running(docker_engine)
    done = gbr.dive("nuke", "USA", "--yes")
    assert done.returncode == 1
    assert "next: ./dive nuke FRA, ./dive nuke GBR" in done.stderr
    unsure = gbr.dive("nuke", "GBR")
    assert unsure.returncode == 2, "nobody is there to type the code"
    assert running(docker_engine) == before


def test_a_broken_country_is_nuked(gbr: Country, docker_engine: docker.DockerClient) -> None:
    """Its Keycloak is down, a container is gone, a volume is protected."""
    before = others(docker_engine, "gbr")
    docker_engine.containers.get(gbr.names.container("keycloak")).stop()
    docker_engine.containers.get(gbr.names.container("kas")).remove(force=True)
    done = gbr.dive("nuke", "GBR", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not remains(docker_engine, "dive.country=GBR")
    assert others(docker_engine, "gbr") == before
    again = gbr.dive("nuke", "GBR", "--yes")
    assert again.returncode == 0
    assert "nothing to remove of GBR" in again.stderr
