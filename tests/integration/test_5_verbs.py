"""A country in operation: services and the country restarted, secrets changed, and what is refused or rolled back.

After `test_5_unrecorded`, which looks for secrets that were generated.
"""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import LiteralString

import docker
import pytest
import yaml

from dive_infra.config.credentials import enrolled
from dive_infra.config.paths import ROOT
from dive_infra.crypto import pki
from dive_infra.membership import request
from dive_infra.orchestration import connection
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.overview import overview
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.rotation.rotation import secrets_in_force
from dive_infra.rotation.sources import variable_name
from dive_infra.rotation.targets import CountryServers, targets
from dive_infra.seeds.store import connect
from tests.coalition.country import Country
from tests.coalition.live import documents, keycloak, record, running, runs, secrets, specification, told
from tests.support.by_hand_at_keycloak import Hand, imported_key

pytestmark = pytest.mark.timeout(1500)


WITHIN = {"a service": 30, "a country": 60}  # seconds
ROTATED = ("redis", "keycloak-db", "postgres-superuser", "mongodb", "keycloak-admin", "portal-client", "probe-usa")


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


def test_a_new_country_is_written_from_the_table_and_entered_at_the_hub(usa: Country, home: Path) -> None:
    gbr = Country("GBR", home)
    approved = yaml.safe_load(usa.stack_file().read_text())["config"]["dive:spokes"]
    done = gbr.dive("new", "gbr")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "next: ./dive up USA GBR" in done.stderr
    [told] = re.findall(r"fingerprint of GBR: (.+)", done.stderr)
    asked = request.read((home / "members" / "gbr.json").read_bytes(), "gbr.json")
    assert told == request.fingerprint(asked), "what two people compare"
    hub = yaml.safe_load((usa.home / "Pulumi.usa.yaml").read_text())["config"]
    assert hub["dive:spokes"] == [*approved, "GBR"]
    assert hub["dive:disposable"] is True, "all else is kept"
    spoke = yaml.safe_load((usa.home / "Pulumi.gbr.yaml").read_text())["config"]
    assert spoke["dive:namespace"] == usa.names.namespace
    assert spoke["dive:coalitionKey"] == usa.outputs()["coalition_key"]
    assert {*spoke["dive:secrets"]} == {c.name for c in enrolled(is_hub=False)}
    assert all("secure" in key for key in spoke["dive:secrets"].values())
    again = gbr.dive("new", "GBR")
    assert again.returncode == 0
    assert "GBR is as before" in again.stderr
    (home / "Pulumi.gbr.yaml").unlink()
    usa.stack_file()


def test_a_restarted_service_is_healthy_again_and_what_needs_it_too(
    fra: Country, docker_engine: docker.DockerClient
) -> None:
    before = running(docker_engine)
    backend = fra.names.container("backend")
    done = fra.dive("restart", "FRA", "backend")
    assert done.returncode == 0, done.stderr
    assert "✓ frontend is healthy with it" in done.stderr
    assert seconds(done.stderr) < WITHIN["a service"]
    after = running(docker_engine)
    assert {n for n in before if after.get(n) != before[n]} == {backend}
    assert after[backend][0] == before[backend][0], "the same container"


@pytest.mark.whole  # what restarts one service, and what needs it, restarts all
def test_a_restarted_country_is_up_within_a_minute_and_has_its_data(
    fra: Country, docker_engine: docker.DockerClient
) -> None:
    with connect(documents(fra)) as database:
        count = database["resources"].count_documents({})
    before = running(docker_engine)
    done = fra.dive("restart", "FRA")
    assert done.returncode == 0, done.stderr
    assert "9 services restarted" in done.stderr
    assert seconds(done.stderr) < WITHIN["a country"]
    after = running(docker_engine)
    assert {n for n in before if after[n] != before[n]} == {fra.names.container(s) for s in own(docker_engine, fra)}
    assert {n: i for n, (i, _) in after.items()} == {n: i for n, (i, _) in before.items()}
    with connect(documents(fra)) as database:
        assert database["resources"].count_documents({}) == count


def test_a_restart_during_a_deployment_is_refused_with_who_deploys(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    before = running(docker_engine)
    with record(fra) as store:
        store.hold("FRA", "SEEDING")
        done = fra.dive("restart", "FRA", "backend")
        reload = fra.dive("reload-secrets", "FRA", "redis", "--generate")
        rotate = fra.dive("rotate-keys", "FRA")
        nuke = fra.dive("nuke", "FRA", "--yes")
        store.release("FRA")
    for refused in (done, reload, rotate, nuke):
        assert refused.returncode == 3, refused.stderr
        assert f"pid {store.run.pid} on {store.run.hostname}" in refused.stderr
        assert "phase SEEDING" in refused.stderr
    assert running(docker_engine) == before


@pytest.mark.whole  # at the provider, on a Keycloak: `providers/test_identity.py`; the verb: `unit/cli`
def test_a_foreign_key_is_named_and_a_rotation_ends_it_without_touching_a_container(
    fra: Country, docker_engine: docker.DockerClient
) -> None:
    before, containers = specification(fra, Phase.CONFIGURATION).keys, running(docker_engine)
    assert {realm: len(keys) for realm, keys in before.items()} == {fra.names.realm: 4, "master": 4}
    with keycloak(fra) as admin, closing(Hand(admin, fra.names)) as here:
        imported_key(here, pki.rsa_key(), fra.outputs()["ca_certificate"])
    named = " ".join(fra.dive("status", "FRA").stdout.split())
    assert "of provider rsa-generated (RS256, active)" in named
    assert "./dive rotate-keys FRA" in named
    done = fra.dive("rotate-keys", "FRA")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    after = specification(fra, Phase.CONFIGURATION).keys
    assert {realm: len(keys) for realm, keys in after.items()} == {fra.names.realm: 4, "master": 4}
    assert not {k for keys in before.values() for k in keys} & {k for keys in after.values() for k in keys}
    assert fra.dive("status", "FRA").returncode == 0
    assert running(docker_engine) == containers
    history = " ".join(fra.dive("history", "FRA", "--details").stdout.split())
    assert f"other keys of realm {fra.names.realm} and of realm master are recorded" in history


def test_secrets_are_changed_at_the_servers_while_the_hub_is_down_and_only_their_users_are_recreated(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """What needs the hub is reported and waits. The hub is protected as it is healed, for `test_6_destroy`."""
    old, before, proven = place(fra), own(docker_engine, fra), runs(fra)
    fra.secrets |= secrets(fra)
    for service in ("backend", "keycloak", "postgres"):
        docker_engine.containers.get(usa.names.container(service)).stop()
    done = fra.dive("reload-secrets", "FRA", *ROTATED, "--generate")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    new, after = place(fra), own(docker_engine, fra)
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
    assert runs(fra)[Phase.VERIFICATION] != proven[Phase.VERIFICATION]
    report = json.loads((ROOT / f"verification-report-{fra.names.prefix}.json").read_text())
    found = {r["check"]: r for r in report["results"]}
    assert found["a user from FRA can log in at FRA"]["answer"] == "valid"
    for way in ("a user from FRA can log in at USA", "a user from USA can log in at FRA"):
        assert found[way]["found"].startswith("pending: USA does not answer at "), found[way]
        assert found[way]["advisory"]
    with record(fra) as store:
        links = store.query(lambda live: overview(live, "FRA")).links
    assert [link.status for link in links] == ["ACTIVE"] * 2, "what was proven once stays so, with its age"
    unchanged = fra.dive("reload-secrets", "FRA")
    assert unchanged.returncode == 0, unchanged.stderr
    assert "equal those of the source" in unchanged.stderr
    healed = usa.up(disposable=False)
    assert healed.ok, told(healed)


def test_a_weak_secret_is_refused_before_anything_is_changed(
    fra: Country, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    before, file = place(fra).secrets, fra.home / "Pulumi.fra.yaml"
    text, containers = file.read_text(), running(docker_engine)
    env = tmp_path / "fra.env"
    for value, why in (("changeme-0123456789", "a well-known word"), ("'with $dollar and space'", "not accepted")):
        env.write_text(f"{variable_name('redis', fra.settings.place)}={value}\n")
        done = fra.dive("reload-secrets", "FRA", "--env-file", str(env))
        assert done.returncode == 1
        assert why in done.stderr
        assert "nothing was changed" in done.stderr
    assert place(fra).secrets == before
    assert (file.read_text(), running(docker_engine)) == (text, containers)


def test_when_a_server_cannot_be_changed_the_others_are_rolled_back(
    fra: Country, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Postgres takes logins but no changes: Redis, which had the new secret by then, has its old one again."""
    at, file = place(fra), fra.home / "Pulumi.fra.yaml"
    text, containers = file.read_text(), running(docker_engine)
    superuser = DatabaseAccess.of(at.names, "postgres", at.secrets["postgres-superuser"], at.ca, "postgres")
    env = tmp_path / "fra.env"
    values = {"redis": "another-one-for-redis-01", "keycloak-db": "another-one-for-keycloak"}
    env.write_text("".join(f"{variable_name(n, fra.settings.place)}={v}\n" for n, v in values.items()))

    def alter(change: LiteralString) -> None:
        with connection.connect(superuser) as live:
            live.execute("SET default_transaction_read_only = off")
            live.execute(f"ALTER ROLE postgres {change}")

    alter("SET default_transaction_read_only = on")
    try:
        done = fra.dive("reload-secrets", "FRA", "--env-file", str(env))
    finally:
        alter("RESET default_transaction_read_only")
    assert done.returncode == 1, done.stderr
    assert "rolled back: servers and configuration are as before" in done.stderr
    redis = targets(is_hub=False)["redis"]
    assert redis.verify(at, at.secrets["redis"])
    assert not redis.verify(at, values["redis"])
    assert (file.read_text(), running(docker_engine)) == (text, containers)


def test_an_update_that_failed_is_continued_once_its_cause_is_fixed_with_the_same_secrets(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """The portal is given the image of another service, with which it cannot start."""
    old, file, before = place(fra), fra.home / "Pulumi.fra.yaml", own(docker_engine, fra)
    text = file.read_text()
    wrong = docker_engine.containers.get(fra.names.container("opa")).attrs["Image"]
    config = yaml.safe_load(text)["config"]
    images = config.get("dive:images", {})
    config["dive:images"] = {**images, "frontend": wrong}
    file.write_text(yaml.safe_dump({**yaml.safe_load(text), "config": config}))
    done = fra.dive("reload-secrets", "FRA", "portal-client", "--generate")
    assert done.returncode == 4, done.stdout[-3000:] + done.stderr
    assert "to be rolled forward: servers and configuration have the new secrets" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    with record(fra) as store:
        current, holder, step = store.current("FRA"), store.holder("FRA"), store.step("FRA", Phase.DEPLOYMENT)
    assert current
    assert step
    assert (current.state, step.status) == (State.FAILED, Status.FAILED)
    assert holder is None, "the failed run has released its lock"
    [status] = json.loads(fra.dive("status", "FRA", "--json").stdout)["countries"]
    assert (status["deployment"]["state"], status["deployment"]["phase"]) == ("FAILED", "DEPLOYMENT")
    changed = yaml.safe_load(file.read_text())
    changed["config"]["dive:images"] = images
    file.write_text(yaml.safe_dump(changed))
    healed = fra.dive("up", "FRA")
    assert healed.returncode == 0, healed.stdout[-3000:] + healed.stderr
    new, door = place(fra), targets(is_hub=False)["portal-client"]
    assert door.verify(new, new.secrets["portal-client"])
    assert not door.verify(new, old.secrets["portal-client"])
    after = own(docker_engine, fra)
    assert {s for s in before if after[s] != before[s]} == {"frontend"}
    with record(fra) as store:
        current, holder = store.current("FRA"), store.holder("FRA")
    assert current
    assert current.state == State.COMPLETE
    assert holder is None or not holder.live
