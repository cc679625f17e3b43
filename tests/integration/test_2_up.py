"""From nothing to two countries that are linked, seeded and verified."""

import json
import re
from pathlib import Path
from signal import SIGINT, SIGKILL

import docker
import jsonschema
import pytest

from dive_infra.catalog.keycloak import IMAGE
from dive_infra.checks.verification import path
from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import observe
from dive_infra.identity import https
from dive_infra.identity.login import login
from dive_infra.orchestration.states import Phase, State
from tests.coalition.country import Country
from tests.coalition.live import keycloak, record, remains, resource, running, runs, secrets, told

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


def test_a_half_deployed_country_is_nuked_to_nothing(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """Its deployment was killed: there are containers, pending operations, and a lock of the dead."""
    before = running(docker_engine)
    killed = fra.up_until(lambda name: name == "keycloak-container", [SIGKILL])
    assert not killed.ok
    assert running(docker_engine).keys() > before.keys()
    fra.secrets |= secrets(fra)
    done = fra.dive("nuke", "FRA", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for proof in ("the engine holds no object of FRA", "the state of stack fra holds no resource"):
        assert f"✓ {proof}" in done.stderr
    assert not remains(docker_engine, "dive.country=FRA")
    assert running(docker_engine) == before, "nobody else is touched"


def test_a_deployment_interrupted_in_configuration_is_resumed_there_with_all_countries(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    first = fra.up_until(lambda name: name.startswith("realm"), [SIGINT])
    assert not first.ok
    assert list(runs(usa, fra)) == [Phase.PREFLIGHT, Phase.INITIALIZATION, Phase.DEPLOYMENT]
    before, proven = running(docker_engine), runs(usa, fra)

    resumed = fra.dive("up", "--all")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "2 of 2 countries deployed and verified" in resumed.stderr
    for code in ("USA", "FRA"):
        assert re.search(rf"✓ {code} +verified +\d+ s", resumed.stderr), resumed.stderr
    assert running(docker_engine) == before, "what was deployed is left alone"
    after = runs(usa, fra)
    assert list(after) == list(Phase)
    assert {phase: after[phase] for phase in proven} == proven, "skipped"
    with record(usa) as store:
        current = store.current("FRA")
    assert current
    assert current.state == State.COMPLETE


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
    with https.client(fra.outputs()["ca_certificate"], 20) as http:
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
