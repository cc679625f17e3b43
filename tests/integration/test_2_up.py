"""Two countries that are linked, seeded and verified."""

import json
import re

import docker
import jsonschema
import pytest

from dive_infra.catalog.keycloak import IMAGE
from dive_infra.catalog.policy import BUNDLE
from dive_infra.checks.verification import path
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import observe
from dive_infra.identity import https
from dive_infra.identity.login import login
from dive_infra.membership import status
from dive_infra.orchestration.overview import overview
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.text import now
from tests.coalition.country import Country
from tests.coalition.live import OUTPUTS, hidden, keycloak, record, running, runs, secrets

pytestmark = pytest.mark.timeout(1500)


def test_all_countries_are_found_deployed_and_left_alone(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    before, proven = running(docker_engine), runs(fra)
    assert list(proven) == list(Phase)
    done = fra.dive("up", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 countries deployed and verified" in done.stderr
    for code in ("USA", "FRA"):
        assert re.search(rf"✓ {code} +verified +\d+ s", done.stderr), done.stderr
    assert running(docker_engine) == before
    assert runs(fra) == proven, "nothing was written"
    for country in (usa, fra):
        with record(country) as store:
            current, holder = store.current(country.code), store.holder(country.code)
        assert current
        assert (current.state, holder) == (State.COMPLETE, None)


def test_history_shows_what_each_run_did(usa: Country) -> None:
    """The first that was not refused, in which every phase ran; and the one above, which proves the hub's side of the
    link, for that was pending before France was there, and has found everything else valid."""
    done = usa.dive("history", "USA", "--json", "--last", "1000")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    jsonschema.validate(report, json.loads((ROOT / "schemas" / "history.json").read_text()))
    newest = report["runs"][0]
    first = next(r for r in reversed(report["runs"]) if [p["outcome"] for p in r["phases"]] == ["ran"] * 6)
    assert all(p["why"] for p in first["phases"])
    assert [p["outcome"] for p in newest["phases"]] == [*["skipped"] * 5, "ran"]
    assert newest["saved"] == round(first["seconds"] - newest["seconds"], 1)
    assert newest["result"] == "succeeded"


def test_france_is_deployed_and_healthy(fra: Country, docker_engine: docker.DockerClient) -> None:
    found = fra.outputs()
    assert found.keys() == OUTPUTS
    assert len(running(docker_engine)) == 18
    for name in running(docker_engine):
        assert observe(docker_engine, name).health == "healthy", name


def test_keycloak_lets_the_deployer_in_and_names_one_issuer(fra: Country) -> None:
    with keycloak(fra) as admin:
        info = admin.get("/serverinfo")
    assert info["systemInfo"]["version"] == IMAGE.rpartition(":")[2]
    features = {feature["name"]: feature["enabled"] for feature in info["features"]}
    assert features["ADMIN_FINE_GRAINED_AUTHZ_V2"]
    assert not features["IMPERSONATION"]
    with https.client(fra.outputs()["ca_certificate"], 20, fra.names) as http:
        url = fra.names.url("keycloak")
        found = http.get(f"{url}/realms/master/.well-known/openid-configuration").raise_for_status().json()
        assert found["issuer"] == f"{url}/realms/master"
        assert http.get(f"{url}/health").status_code == http.get(f"{url}/metrics").status_code == 404


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


def test_two_countries_have_no_secret_in_common(usa: Country, fra: Country) -> None:
    """Nor does one hold the passphrase, or a key that the other relies on; what they share, anyone may read."""
    held = {country.code: hidden(country.state()) for country in (usa, fra)}
    for country in (usa, fra):
        assert secrets(country) <= held[country.code], "else not all of its secrets were looked for"
    common = (held["USA"] & held["FRA"]) - {BUNDLE.lstrip("/")}  # a path, in the configuration of each OPA
    assert [value for value in common if re.fullmatch(r"[\w+/=.:!-]{20,}", value) or "PRIVATE" in value] == []


def test_each_country_publishes_what_the_other_may_know(usa: Country, fra: Country) -> None:
    """A status that its deployer has signed: state, proven links, and a person for each partner, sealed to it."""
    coalition = json.loads((usa.home / "members" / "coalition.json").read_text())["payload"]
    for country, partner in ((usa, "FRA"), (fra, "USA")):
        with https.client(country.outputs()["ca_certificate"], 10, country.names) as http:
            content = http.get(f"{country.names.url('backend')}/.well-known/dive-status").raise_for_status().content
        key = coalition["members"][country.code]["deployer_key"]
        known = status.read(content, key, country.code, country.names.namespace, now())
        assert (known.state, {*known.phases}) == (State.COMPLETE, {*map(str, Phase)})
        assert known.links[partner]
        assert known.probes.keys() == {partner}
    with record(usa) as store:
        noted = store.query(lambda live: overview(live, "USA")).members
    assert [(member.code, member.state) for member in noted] == [("FRA", State.COMPLETE)], "the hub's overview"


@pytest.mark.parametrize("who", ["USA", "FRA"])
def test_no_secret_is_in_the_state_or_in_the_outputs(usa: Country, fra: Country, who: str) -> None:
    country = {"USA": usa, "FRA": fra}[who]
    known = secrets(country)
    shown = country.pulumi("stack", "export").stdout + country.pulumi("stack", "output", "--json").stdout
    assert not [secret for secret in known if json.dumps(secret)[1:-1] in shown]
    outputs = json.loads(country.pulumi("stack", "output", "--json").stdout)
    assert outputs["test_user_password"] == "[secret]"


def test_a_container_shows_no_secret_and_is_locked_down(usa: Country, docker_engine: docker.DockerClient) -> None:
    known = secrets(usa)
    for name in running(docker_engine):
        container = docker_engine.containers.get(name)
        seen = json.dumps(container.attrs) + container.logs().decode(errors="replace")
        assert not [secret for secret in known if json.dumps(secret)[1:-1] in seen], name
        host = container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None), name
        assert container.attrs["Config"]["User"] not in ("", "0", "0:0"), name
