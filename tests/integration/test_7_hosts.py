"""Three countries on three hosts: engines, states, passphrases and checkouts of their own. With --whole only.

What their operators exchange is in `members`, and one public key that they compare. The hosts are network namespaces
with an engine each (`tests.coalition.hosts`); the images come from this machine's engine.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dive_infra.automation.stack_state import declared_specs
from dive_infra.checks.verification import path
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.identity.login import login
from dive_infra.orchestration.states import Phase
from dive_infra.seeds.documents import identifier
from tests.coalition import checkout, hosts
from tests.coalition.hosts import Host

DOMAIN = "dive.test"  # nobody's: RFC 6761
CODES = ("USA", "FRA", "GBR")

pytestmark = [
    pytest.mark.whole,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not hosts.possible(), reason=f"only root may have hosts, with {', '.join(hosts.NEEDED)}"),
]


@dataclass(frozen=True)
class Site:
    """A country's host, and the checkout from which its operator deploys it."""

    code: str
    host: Host
    place: Path

    @property
    def stack(self) -> str:
        return self.code.lower()

    @property
    def names(self) -> Names:
        return Names(parse(self.code), domain=DOMAIN, address=self.host.address)

    def dive(self, *arguments: str, expected: int = 0) -> str:
        """Run `./dive` as this operator; return what it told."""
        done = checkout.dive(self.place, *arguments, environment=_alone())
        assert done.returncode == expected, f"./dive {' '.join(arguments)} at {self.code}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def configure(self, **settings: Any) -> None:
        file = self.place / f"Pulumi.{self.stack}.yaml"
        found = (yaml.safe_load(file.read_text()) if file.exists() else None) or {}
        config = {**(found.get("config") or {}), **{f"dive:{key}": value for key, value in settings.items()}}
        file.write_text(yaml.safe_dump({**found, "config": config}))

    def pulumi(self, *arguments: str) -> str:
        script = f'eval "$({self.place}/dive env 2> /dev/null)" && pulumi "$@" -s {self.stack}'
        done = subprocess.run(
            ["bash", "-c", script, "pulumi", *arguments],
            cwd=self.place, env=_alone(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def opens(self, other: "Site") -> bool:
        """Whether this operator's passphrase opens the state of another one."""
        state = (other.place / ".dive" / "state").as_uri()
        export = f"PULUMI_BACKEND_URL={state} pulumi stack export --show-secrets -s {other.stack}"
        script = f'eval "$({self.place}/dive env 2> /dev/null)" && {export}'
        done = subprocess.run(["bash", "-c", script], cwd=other.place, env=_alone(), capture_output=True, text=True)
        assert done.returncode == 0 or "passphrase" in done.stderr, done.stderr
        return done.returncode == 0

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def running(self) -> dict[str, str]:
        client = self.host.client()
        try:
            return {str(c.name): c.attrs["State"]["StartedAt"] for c in client.containers.list()}
        finally:
            client.close()


def _alone() -> Mapping[str, str]:
    """Return the variables of an operator who has no other coalition."""
    left_out = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "DOCKER_HOST")
    return {k: v for k, v in os.environ.items() if k not in left_out and not k.startswith("DIVE_STACKS")}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """The three sites, nothing deployed yet."""
    with hosts.hosts([code.lower() for code in CODES]) as made:
        found = {}
        for code in CODES:
            site = Site(code, made[code.lower()], checkout.copy(tmp_path_factory.mktemp(code.lower()) / "dive"))
            for file in site.place.glob("Pulumi.*.yaml"):
                file.unlink()
            shutil.rmtree(site.place / "members", ignore_errors=True)
            site.configure(
                domain=DOMAIN, address=site.host.address, engine=site.host.engine, testUsers=True, disposable=True
            )
            found[code] = site
        yield found


@pytest.fixture(scope="module")
def coalition(sites: dict[str, Site]) -> dict[str, Site]:
    """The three countries, deployed by their operators."""
    usa, fra, gbr = (sites[code] for code in CODES)
    told = {}
    for spoke in (fra, gbr):
        told[spoke.code] = spoke.dive("new", spoke.code)
        _hand_over(spoke, usa, f"{spoke.stack}.json")
    usa.configure(spokes=["FRA", "GBR"])
    usa.dive("up", "USA")
    key = usa.outputs()["coalition_key"]
    for spoke, partner in ((fra, "GBR"), (gbr, "FRA")):
        _hand_over(usa, spoke, "coalition.json")
        spoke.configure(coalitionKey=key, partners=[partner])
        spoke.dive("up", spoke.code, expected=4 if spoke == fra else 0)  # Britain is not there yet
    fra.dive("up", "FRA")
    usa.dive("up", "USA")
    return sites


def _hand_over(giver: Site, taker: Site, name: str) -> None:
    (taker.place / "members").mkdir(exist_ok=True)
    shutil.copy(giver.place / "members" / name, taker.place / "members")


def test_each_country_runs_on_its_own_host_and_all_is_well(coalition: dict[str, Site]) -> None:
    for site in coalition.values():
        assert len(site.running()) == 9
        assert {name.split("-")[1] for name in site.running()} == {site.stack}
        found = site.dive("status", site.code)
        assert "deployment COMPLETE" in found
        assert "services HEALTHY" in found
        assert len(re.findall("login proven", found)) == 4


@pytest.mark.parametrize("portal", CODES)
@pytest.mark.parametrize("home", CODES)
def test_people_of_each_country_sign_in_at_each_other(coalition: dict[str, Site], portal: str, home: str) -> None:
    at, of = coalition[portal], coalition[home]
    password, ca = of.outputs()["test_user_password"], at.outputs()["ca_certificate"]
    with login(at.names, of.names, f"testuser-{of.stack}-1", password, ca) as session:
        assert session.hosts == path(at.names, of.names)
        assert session.document(identifier(at.names, 1)).status_code == 200


def test_operators_exchange_public_files_alone(coalition: dict[str, Site]) -> None:
    """None has another's passphrase, state or keys."""
    passphrases = {(site.place / ".dive" / "passphrase").read_text() for site in coalition.values()}
    assert len(passphrases) == len(CODES)
    opened = {
        (site.code, other.code) for site in coalition.values() for other in coalition.values() if site.opens(other)
    }
    assert opened == {(code, code) for code in CODES}
    for site in coalition.values():
        others = [other for other in coalition if other != site.code]
        held = "\n".join(
            text.decode(errors="replace") for name, text in checkout.contents(site.place).items() if name[:5] != "tests"
        )
        for other in others:
            secret = coalition[other].outputs()["test_user_password"]
            assert secret not in held
        stacks = {file.stem for file in (site.place / ".dive" / "state").rglob("stacks/dive/*.json")}
        assert stacks == {site.stack}


def test_a_country_whose_hub_is_off_the_network_is_deployed_and_healed(coalition: dict[str, Site]) -> None:
    usa, fra, gbr = (coalition[code] for code in CODES)
    usa.host.disconnect()
    try:
        client = fra.host.client()
        client.containers.get(fra.names.container("kas")).stop()
        client.close()
        fra.dive("up", "FRA")
        found = fra.dive("status", "FRA", expected=2)  # whether the hub is well is unknown
        assert "deployment COMPLETE" in found
        assert "9 of 9 containers healthy" in found
        assert "the hub does not answer" in found
        password, ca = gbr.outputs()["test_user_password"], fra.outputs()["ca_certificate"]
        with login(fra.names, gbr.names, "testuser-gbr-1", password, ca) as session:
            assert session.document(identifier(fra.names, 1)).status_code == 200
    finally:
        usa.host.connect()
    fra.dive("up", "FRA")


def test_a_second_update_changes_nothing(coalition: dict[str, Site]) -> None:
    for site in coalition.values():
        before = site.running()
        site.dive("up", site.code)
        assert site.running() == before


def test_the_validators_look_at_the_engine_of_the_country(coalition: dict[str, Site]) -> None:
    fra = coalition["FRA"]
    state = json.loads(fra.pulumi("stack", "export", "--show-secrets"))
    assert declared_specs(state)[Phase.DEPLOYMENT].names.address == fra.host.address
