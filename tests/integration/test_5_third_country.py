"""A third country: entered, nuked half deployed, deployed beside the others, operated, broken and nuked again."""

import re
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import docker
import pytest
import yaml
from psycopg.sql import SQL, Literal

from dive_infra.checks.verification import path
from dive_infra.identity.login import login
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.rotation.rotation import secrets_in_force
from dive_infra.rotation.sources import variable_name
from dive_infra.rotation.targets import CountryServers, targets
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, keycloak, record, remains, running, secrets, told
from tests.integration.seen import shown

pytestmark = pytest.mark.timeout(1500)


WITHIN = {"a service": 30, "a country": 60}  # seconds
ROTATED = ("redis", "keycloak-db", "postgres-superuser", "mongodb", "keycloak-admin", "portal-client")


@pytest.fixture(scope="module")
def gbr(usa: Country, fra: Country, home: Path) -> Iterator[Country]:
    country = Country("GBR", home)
    usa.configuration.pop("dive:spokes", None)
    usa.stack_file()
    yield country
    usa.configuration.pop("dive:spokes", None)
    left = usa.up()
    assert left.ok, told(left)


def others(client: docker.DockerClient, names: str) -> dict[str, tuple[str, str]]:
    """Return the running containers of all other countries."""
    return {name: seen for name, seen in running(client).items() if f"-{names}-" not in name}


def own(client: docker.DockerClient, country: Country) -> dict[str, str]:
    """Return service -> id of a country's running containers."""
    prefix = f"{country.names.prefix}-"
    return {n.removeprefix(prefix): i for n, (i, _) in running(client).items() if n.startswith(prefix)}


def seconds(text: str) -> float:
    return float(re.findall(r"restarted in ([\d.]+) s", text)[0])


def place(country: Country) -> CountryServers:
    """Return the country's servers, with the secrets of its state."""
    state = country.state()
    return CountryServers(country.names, country.outputs()["ca_certificate"], secrets_in_force(state))


def test_a_new_country_is_written_from_the_table_and_entered_at_the_hub(usa: Country, gbr: Country) -> None:
    done = gbr.dive("new", "gbr")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "approval-gbr" in done.stdout, "the hub's preview"
    assert "next: ./dive up USA GBR" in done.stderr
    hub = yaml.safe_load((usa.home / "Pulumi.usa.yaml").read_text())["config"]
    assert hub["dive:spokes"] == ["FRA", "GBR"]
    assert hub["dive:disposable"] is True, "all else is kept"
    spoke = yaml.safe_load((usa.home / "Pulumi.gbr.yaml").read_text())["config"]
    assert spoke == {"dive:hub": "organization/dive/usa", "dive:namespace": usa.names.namespace}
    again = gbr.dive("new", "GBR")
    assert again.returncode == 2
    assert "is a country of this coalition already" in again.stderr
    usa.configuration["dive:spokes"] = ["FRA", "GBR"]


def test_a_half_deployed_country_is_nuked_to_nothing(
    usa: Country, gbr: Country, docker_engine: docker.DockerClient
) -> None:
    """Its deployment was killed: there are containers, pending operations, and a lock of the dead."""
    approved = usa.up()
    assert approved.ok, told(approved)
    gbr.init()
    before = others(docker_engine, "gbr")
    killed = gbr.up_until(lambda name: name == "keycloak-container", [SIGKILL])
    assert not killed.ok
    assert own(docker_engine, gbr)
    done = gbr.dive("nuke", "GBR", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for proof in ("the engine holds no object of GBR", "the state of stack gbr holds no resource"):
        assert f"✓ {proof}" in done.stderr
    assert not remains(docker_engine, "dive.country=GBR")
    assert others(docker_engine, "gbr") == before, "nobody else is touched"


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
    assert len(own(docker_engine, gbr)) == 9


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


def test_a_restarted_service_is_healthy_again_and_what_needs_it_too(
    gbr: Country, docker_engine: docker.DockerClient
) -> None:
    before = running(docker_engine)
    backend = gbr.names.container("backend")
    done = gbr.dive("restart", "GBR", "backend")
    assert done.returncode == 0, done.stderr
    assert "✓ frontend is healthy with it" in done.stderr
    assert seconds(done.stderr) < WITHIN["a service"]
    after = running(docker_engine)
    assert {n for n in before if after.get(n) != before[n]} == {backend}
    assert after[backend][0] == before[backend][0], "the same container"


def test_a_restarted_country_is_up_within_a_minute_and_has_its_data(
    gbr: Country, docker_engine: docker.DockerClient
) -> None:
    with connect(documents(gbr)) as database:
        count = database["resources"].count_documents({})
    before = running(docker_engine)
    done = gbr.dive("restart", "GBR")
    assert done.returncode == 0, done.stderr
    assert "9 services restarted" in done.stderr
    assert seconds(done.stderr) < WITHIN["a country"]
    after = running(docker_engine)
    assert {n for n in before if after[n] != before[n]} == {gbr.names.container(s) for s in own(docker_engine, gbr)}
    assert {n: i for n, (i, _) in after.items()} == {n: i for n, (i, _) in before.items()}
    with connect(documents(gbr)) as database:
        assert database["resources"].count_documents({}) == count


def test_a_restart_during_a_deployment_is_refused_with_who_deploys(
    usa: Country, gbr: Country, docker_engine: docker.DockerClient
) -> None:
    before = running(docker_engine)
    with record(usa) as store:
        store.hold("GBR", "SEEDING")
        done = gbr.dive("restart", "GBR", "backend")
        hub = gbr.dive("restart", "USA", "postgres")
        reload = gbr.dive("reload-secrets", "GBR", "redis", "--generate")
        nuke = gbr.dive("nuke", "GBR", "--yes")
        store.release("GBR")
    for refused in (done, hub, reload, nuke):
        assert refused.returncode == 3, refused.stderr
        assert f"pid {store.run.pid} on {store.run.hostname}" in refused.stderr
        assert "phase SEEDING" in refused.stderr
    assert running(docker_engine) == before


def test_secrets_are_changed_at_the_servers_and_only_their_users_are_made_anew(
    gbr: Country, docker_engine: docker.DockerClient
) -> None:
    old, before = place(gbr), own(docker_engine, gbr)
    done = gbr.dive("reload-secrets", "GBR", *ROTATED, "--generate")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    new, after = place(gbr), own(docker_engine, gbr)
    assert {s for s in before if after[s] != before[s]} == {
        *("postgres", "mongodb", "redis", "keycloak", "backend", "kas", "frontend")
    }, "OPA and the OPAL client use none of them"
    asked = targets(is_hub=False)
    for name in ROTATED:
        assert new.secrets[name] != old.secrets[name]
        assert asked[name].verify(new, new.secrets[name]), name
        assert not asked[name].verify(new, old.secrets[name]), name
        assert f"✓ {name}: the new value is accepted, the old one refused" in done.stderr
        assert new.secrets[name] not in done.stdout + done.stderr
    unchanged = gbr.dive("reload-secrets", "GBR")
    assert unchanged.returncode == 0, unchanged.stderr
    assert "equal those of the source" in unchanged.stderr


def test_a_weak_secret_is_refused_before_anything_is_changed(
    gbr: Country, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    before, file = place(gbr).secrets, gbr.home / "Pulumi.gbr.yaml"
    text, containers = file.read_text(), running(docker_engine)
    env = tmp_path / "gbr.env"
    for value, why in (("changeme-0123456789", "a well-known word"), ("'with $dollar and space'", "not accepted")):
        env.write_text(f"{variable_name('redis', gbr.settings.place)}={value}\n")
        done = gbr.dive("reload-secrets", "GBR", "--env-file", str(env))
        assert done.returncode == 1
        assert why in done.stderr
        assert "nothing was changed" in done.stderr
    assert place(gbr).secrets == before
    assert (file.read_text(), running(docker_engine)) == (text, containers)


def test_when_a_server_cannot_be_told_the_others_are_told_back(
    gbr: Country, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Postgres takes logins but no changes: Redis, which had the new secret by then, has its old one again."""
    at, file = place(gbr), gbr.home / "Pulumi.gbr.yaml"
    text, containers = file.read_text(), running(docker_engine)
    superuser = DatabaseAccess(
        at.names.host("postgres"), at.names.port("postgres"), "postgres", at.secrets["postgres-superuser"], at.ca,
        "postgres",
    )  # fmt: skip
    env = tmp_path / "gbr.env"
    values = {"redis": "another-one-for-redis-01", "keycloak-db": "another-one-for-keycloak"}
    env.write_text("".join(f"{variable_name(n, gbr.settings.place)}={v}\n" for n, v in values.items()))

    def only_read(value: str) -> None:
        with connection.connect(superuser) as live:
            live.execute("SET default_transaction_read_only = off")
            live.execute(SQL("ALTER ROLE postgres SET default_transaction_read_only = {}").format(Literal(value)))

    only_read("on")
    try:
        done = gbr.dive("reload-secrets", "GBR", "--env-file", str(env))
    finally:
        only_read("off")
    assert done.returncode == 1, done.stderr
    assert "rolled back: servers and configuration are as before" in done.stderr
    redis = targets(is_hub=False)["redis"]
    assert redis.verify(at, at.secrets["redis"])
    assert not redis.verify(at, values["redis"])
    assert (file.read_text(), running(docker_engine)) == (text, containers)


def test_when_the_update_fails_the_same_secrets_are_rolled_forward(
    gbr: Country, docker_engine: docker.DockerClient
) -> None:
    """The portal is given the image of another service, with which it cannot start."""
    old, file = place(gbr), gbr.home / "Pulumi.gbr.yaml"
    text = file.read_text()
    wrong = docker_engine.containers.get(gbr.names.container("opa")).attrs["Image"]
    config = yaml.safe_load(text)
    file.write_text(yaml.safe_dump({**config, "config": {**config["config"], "dive:images": {"frontend": wrong}}}))
    done = gbr.dive("reload-secrets", "GBR", "portal-client", "--generate")
    assert done.returncode == 4, done.stdout[-3000:] + done.stderr
    assert "to be rolled forward: servers and configuration have the new secrets" in done.stderr
    changed = yaml.safe_load(file.read_text())
    del changed["config"]["dive:images"]
    file.write_text(yaml.safe_dump(changed))
    healed = gbr.dive("up", "GBR")
    assert healed.returncode == 0, healed.stdout[-3000:] + healed.stderr
    new, door = place(gbr), targets(is_hub=False)["portal-client"]
    assert door.verify(new, new.secrets["portal-client"])
    assert not door.verify(new, old.secrets["portal-client"])


def test_a_hub_with_spokes_is_not_nuked(usa: Country, gbr: Country, docker_engine: docker.DockerClient) -> None:
    before = running(docker_engine)
    done = gbr.dive("nuke", "USA", "--yes")
    assert done.returncode == 1
    assert "next: ./dive nuke FRA, ./dive nuke GBR" in done.stderr
    unsure = gbr.dive("nuke", "GBR")
    assert unsure.returncode == 2, "nobody is there to type the code"
    assert running(docker_engine) == before


def test_a_broken_country_is_nuked_at_home_and_at_the_hub(
    usa: Country, gbr: Country, docker_engine: docker.DockerClient
) -> None:
    """Its Keycloak is down, a container is gone, a volume is protected; its history stays."""
    gbr.secrets |= {*place(gbr).secrets.values()}  # most of them are given by now, not generated
    before = others(docker_engine, "gbr")
    docker_engine.containers.get(gbr.names.container("keycloak")).stop()
    docker_engine.containers.get(gbr.names.container("kas")).remove(force=True)
    done = gbr.dive("nuke", "GBR", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not remains(docker_engine, "dive.country=GBR")
    assert others(docker_engine, "gbr") == before
    with record(usa) as store:
        assert not any(store.rows("GBR").values())
        assert store.history("GBR")
        assert any(store.rows("FRA").values())
    with keycloak(usa) as admin:
        realm = f"/realms/{usa.names.realm}"
        assert {i["alias"] for i in admin.get(f"{realm}/identity-provider/instances")} == {"fra-idp"}
        assert not admin.get(f"{realm}/clients", clientId=gbr.names.client)
        assert not [u for u in admin.get(f"{realm}/users", max=1000) if "-gbr-" in u["username"]]
    again = gbr.dive("nuke", "GBR", "--yes")
    assert again.returncode == 0
    assert "nothing to remove of GBR" in again.stderr


def test_no_secret_was_printed_by_any_run_before(usa: Country, fra: Country, gbr: Country) -> None:
    """As in `test_5_secrets`; also by runs that were killed, and by those of a third country."""
    known = secrets(usa) | secrets(fra) | usa.secrets | fra.secrets | gbr.secrets
    for country in (usa, fra, gbr):
        assert country.printed, "else nothing would be searched"
        assert shown(known, "\n".join(country.printed)) == []
