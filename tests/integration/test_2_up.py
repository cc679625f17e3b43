"""From nothing to two countries that are linked, seeded and verified."""

import json
from pathlib import Path

import docker
import jsonschema
import pytest

from dive_infra.checks.verification import path
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import observe
from dive_infra.identity.login import login
from tests.coalition.country import Country
from tests.coalition.live import resource, running, secrets, told

pytestmark = pytest.mark.timeout(1500)


OUTPUTS = {
    "instance", "realm", "urls", "containers", "ca_certificate", "test_users", "test_user_password", "verification",
}  # fmt: skip


def test_the_hub_comes_up_from_nothing(usa: Country) -> None:
    run = usa.up()
    assert run.ok, told(run)
    found = usa.outputs()
    assert found.keys() == OUTPUTS | {"grants"}
    assert found["urls"].keys() == {"frontend", "backend", "keycloak", "kas", "opa"}
    assert len(found["containers"]) == 9
    assert len(found["test_users"]) == 6


def test_a_country_that_the_hub_does_not_approve_is_refused(usa: Country, home: Path) -> None:
    deu = Country("DEU", home)
    deu.init()
    run = deu.up()
    deu.stack_file().unlink()
    assert not run.ok
    assert "does not approve DEU; approved: FRA" in run.messages
    assert "dive:spokes" in run.messages


def test_france_comes_up_and_is_verified(usa: Country, fra: Country, docker_engine: docker.DockerClient) -> None:
    run = fra.up()
    assert run.ok, told(run)
    found = fra.outputs()
    assert found.keys() == OUTPUTS
    assert len(running(docker_engine)) == 18
    for name in running(docker_engine):
        assert observe(docker_engine, name).health == "healthy", name


def test_the_report_says_what_was_proven(fra: Country) -> None:
    report = json.loads((ROOT / f"verification-report-{fra.names.prefix}.json").read_text())
    jsonschema.validate(report, json.loads((ROOT / "schemas" / "verification-report.json").read_text()))
    assert report["status"] == fra.outputs()["verification"]["status"] == "success"
    proven = " ".join(r["check"] for r in report["results"] if r["answer"] == "valid")
    for sentence in (
        "a user from FRA can log in at USA",
        "a user from USA can log in at FRA",
        "to a user of FRA",
    ):
        assert sentence in proven, sentence


@pytest.mark.parametrize(("who", "command"), [("USA", "up"), ("FRA", "preview")])
def test_a_second_look_and_a_second_update_find_nothing_to_do(
    usa: Country, fra: Country, who: str, command: str
) -> None:
    """`test_4_preview` previews the hub, `test_5_scenarios` updates France."""
    run = {"USA": usa, "FRA": fra}[who].run(command)
    assert run.ok, told(run)
    assert not run.changes, told(run)


@pytest.mark.parametrize(("portal", "home_country"), [("USA", "FRA"), ("FRA", "USA")])
def test_a_person_of_one_country_signs_in_at_the_other(
    usa: Country, fra: Country, portal: str, home_country: str
) -> None:
    countries = {"USA": usa, "FRA": fra}
    at, of = countries[portal], countries[home_country]
    user = f"testuser-{of.stack}-4"
    password, ca = of.outputs()["test_user_password"], at.outputs()["ca_certificate"]
    with login(at.names, of.names, user, password, ca) as session:
        assert session.hosts == path(at.names, of.names)
        assert session.claims["countryOfAffiliation"] == home_country
        assert session.claims["uniqueID"] == user
        assert session.claims["clearance"] == "SECRET"
        assert session.claims["acpCOI"] == ["NATO"]


def test_a_spoke_never_holds_the_secret_of_the_hubs_portal(usa: Country, fra: Country) -> None:
    secret = resource(usa, "secret-portal-client")["outputs"]["value"]
    assert secret not in fra.pulumi("stack", "export", "--show-secrets").stdout


@pytest.mark.parametrize("who", ["USA", "FRA"])
def test_no_secret_stands_in_the_state_or_in_the_outputs(usa: Country, fra: Country, who: str) -> None:
    country = {"USA": usa, "FRA": fra}[who]
    known = secrets(country)
    shown = country.pulumi("stack", "export").stdout + country.pulumi("stack", "output", "--json").stdout
    assert not [secret for secret in known if json.dumps(secret)[1:-1] in shown]
    outputs = json.loads(country.pulumi("stack", "output", "--json").stdout)
    assert outputs["test_user_password"] == "[secret]"


def test_nothing_on_the_engine_shows_a_secret(usa: Country, docker_engine: docker.DockerClient) -> None:
    known = secrets(usa)
    for name in running(docker_engine):
        container = docker_engine.containers.get(name)
        seen = json.dumps(container.attrs) + container.logs().decode(errors="replace")
        assert not [secret for secret in known if json.dumps(secret)[1:-1] in seen], name
