"""Three countries on three hosts: engines, states, passphrases and checkouts of their own. With --whole only.

What their operators exchange is in `members`, and one public key that they compare. The hosts are network namespaces
with an engine each (`tests.coalition.hosts`): the hub's is reached at its socket, France's by TLS, and Britain's by ssh
where sshd is installed. The images come from this machine's engine.

France is deployed first while the hub is off the network. Then the network is disturbed: partition, slow link, lost
hub, lost spoke.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from dive_infra.automation.stack_state import declared_specs
from dive_infra.checks.spec import DeploymentSpec
from dive_infra.checks.verification import path
from dive_infra.config.countries import parse
from dive_infra.config.engine_selection import EngineSelection
from dive_infra.config.naming import Names
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.login import login
from dive_infra.orchestration.states import Phase
from dive_infra.seeds.documents import identifier
from tests.coalition import checkout, hosts, ways
from tests.coalition.hosts import Host
from tests.support.waiting import wait_for

DOMAIN = "dive.test"  # reserved: RFC 6761
CODES = ("USA", "FRA", "GBR")
EACH_RUN_PROVES = {"maxAge": 1}  # seconds

pytestmark = [
    pytest.mark.whole,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not hosts.possible(), reason=f"only root may have hosts, with {', '.join(hosts.NEEDED)}"),
]


@dataclass(frozen=True)
class Site:
    """A country's host, and the checkout from which its operator deploys it; `programs` go first on the PATH there."""

    code: str
    host: Host
    place: Path
    programs: str = ""

    @property
    def stack(self) -> str:
        return self.code.lower()

    @property
    def names(self) -> Names:
        return Names(parse(self.code), domain=DOMAIN, address=self.host.address)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the variables of an operator who has no other coalition."""
        left_out = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "DOCKER_HOST")
        kept = {k: v for k, v in os.environ.items() if k not in left_out and not k.startswith("DIVE_STACKS")}
        return {**kept, "PATH": os.pathsep.join(filter(None, (self.programs, os.environ["PATH"])))}

    def dive(self, *arguments: str, expected: int = 0, within: float = 600) -> str:
        """Run `./dive` as this operator, for at most `within` seconds; return its output."""
        began = time.monotonic()
        done = checkout.dive(self.place, *arguments, environment=self.environment)
        seconds = time.monotonic() - began
        told = f"./dive {' '.join(arguments)} at {self.code}, {seconds:.0f} s\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expected, told
        assert seconds < within, told
        return done.stdout + done.stderr

    def status(self, expected: int = 0) -> dict[str, Any]:
        """Return what `./dive status` reports of this country within half a minute."""
        [found] = json.loads(self.dive("status", self.code, "--json", expected=expected, within=30))["countries"]
        return dict(found)

    def configure(self, **settings: Any) -> None:
        file = self.place / f"Pulumi.{self.stack}.yaml"
        found = (yaml.safe_load(file.read_text()) if file.exists() else None) or {}
        config = {**(found.get("config") or {}), **{f"dive:{key}": value for key, value in settings.items()}}
        file.write_text(yaml.safe_dump({**found, "config": config}))

    def pulumi(self, *arguments: str) -> str:
        script = f'eval "$({self.place}/dive env 2> /dev/null)" && pulumi "$@" -s {self.stack}'
        done = subprocess.run(
            ["bash", "-c", script, "pulumi", *arguments],
            cwd=self.place, env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def opens(self, other: "Site") -> bool:
        """Whether this operator's passphrase opens the state of another one."""
        state = (other.place / ".dive" / "state").as_uri()
        export = f"PULUMI_BACKEND_URL={state} pulumi stack export --show-secrets -s {other.stack}"
        script = f'eval "$({self.place}/dive env 2> /dev/null)" && {export}'
        done = subprocess.run(
            ["bash", "-c", script], cwd=other.place, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0 or "passphrase" in done.stderr, done.stderr
        return done.returncode == 0

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def running(self) -> dict[str, str]:
        """Return the containers that run -> when each was started."""
        client = self.host.client()
        try:
            return {str(c.name): c.attrs["State"]["StartedAt"] for c in client.containers.list()}
        finally:
            client.close()

    def stop(self, service: str) -> None:
        client = self.host.client()
        client.containers.get(self.names.container(service)).stop()
        client.close()


Sites = Mapping[str, Site]


def _engine(host: Host, folder: Path, undo: ExitStack) -> tuple[EngineSelection, str]:
    """Return how the operator of a country selects its engine, and the folder of programs for that."""
    if host.name == "fra":
        return ways.by_tls(host, folder / "tls"), ""
    if host.name == "gbr" and ways.sshd():
        way = undo.enter_context(ways.by_ssh(host, folder / "ssh"))
        return way.selection, str(way.programs)
    return EngineSelection(host.engine), ""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """The three sites, nothing deployed yet."""
    folder = tmp_path_factory.mktemp("engines")

    def listens(host: Host) -> list[str]:
        return ways.tls(host, folder / "tls") if host.name == "fra" else []

    with hosts.hosts([code.lower() for code in CODES], listens) as made, ExitStack() as undo:
        found = {}
        for code in CODES:
            host = made[code.lower()]
            engine, programs = _engine(host, folder, undo)
            site = Site(code, host, checkout.copy(tmp_path_factory.mktemp(code.lower()) / "dive"), programs)
            for file in site.place.glob("Pulumi.*.yaml"):
                file.unlink()
            shutil.rmtree(site.place / "members", ignore_errors=True)
            selected = {"engine": engine.address, "engineCertificates": engine.certificates}
            site.configure(
                domain=DOMAIN, address=host.address, testUsers=True, disposable=True, verification=EACH_RUN_PROVES,
                **{key: value for key, value in selected.items() if value},
            )  # fmt: skip
            found[code] = site
        yield found


@dataclass(frozen=True)
class Alone:
    """France, deployed while its hub was off the network: the output of `./dive up`, and what was seen then."""

    told: str
    status: dict[str, Any]
    reads: int  # the portal's answer to someone from France who opens a document


@pytest.fixture(scope="module")
def alone(sites: Sites) -> Alone:
    """The hub, deployed; then France, without it."""
    usa, fra, gbr = (sites[code] for code in CODES)
    for spoke in (fra, gbr):
        spoke.dive("new", spoke.code)
        _hand_over(spoke, usa, f"{spoke.stack}.json")
    usa.configure(spokes=["FRA", "GBR"])
    usa.dive("up", "USA")
    key = usa.outputs()["coalition_key"]
    for spoke, partner in ((fra, "GBR"), (gbr, "FRA")):
        _hand_over(usa, spoke, "coalition.json")
        spoke.configure(coalitionKey=key, partners=[partner])
    with hosts.lost(usa.host):
        told = fra.dive("up", "FRA", expected=4)
        return Alone(told, fra.status(expected=1), _reads(fra, fra))


@pytest.fixture(scope="module")
def coalition(sites: Sites, alone: Alone) -> Sites:
    """The three countries, deployed by their operators, once the hub is back."""
    assert alone
    usa, fra, gbr = (sites[code] for code in CODES)
    gbr.dive("up", "GBR")
    fra.dive("up", "FRA")
    usa.dive("up", "USA")
    return sites


def _hand_over(giver: Site, taker: Site, name: str) -> None:
    (taker.place / "members").mkdir(exist_ok=True)
    shutil.copy(giver.place / "members" / name, taker.place / "members")


@cache
def _outputs(site: Site) -> dict[str, Any]:
    """Return what the deployed country's stack tells: each look takes seconds, and what is read here stays."""
    return site.outputs()


def _reads(portal: Site, home: Site) -> int:
    """Return what a portal answers to someone of a country who opens its first document."""
    password, ca = _outputs(home)["test_user_password"], _outputs(portal)["ca_certificate"]
    with login(portal.names, home.names, f"testuser-{home.stack}-1", password, ca) as session:
        assert session.hosts == path(portal.names, home.names)
        return session.document(identifier(portal.names, 1)).status_code


def test_a_spoke_that_is_deployed_before_its_hub_ever_answered_waits_for_it(alone: Alone) -> None:
    waits = "FRA permits nothing until it has policies of the hub: the hub does not answer"
    [last] = [line for line in alone.told.splitlines() if line.startswith("‼ FRA ")]
    assert waits in last
    assert "next: ./dive up FRA (completes it once USA is deployed and answers)" in last
    assert alone.status["deployment"]["state"] == "COMPLETE"
    assert alone.status["health"] == "degraded"
    found = [problem["found"] for problem in alone.status["problems"]]
    assert any(waits in problem for problem in found)
    assert sum(problem.startswith("PENDING: pending: USA does not answer at ") for problem in found) >= 2, "both ways"
    assert alone.reads == 503, "they log in, and no one decides"


def test_each_country_runs_on_its_own_host_and_all_is_well(coalition: Sites) -> None:
    for site in coalition.values():
        assert len(site.running()) == 9
        assert {name.split("-")[1] for name in site.running()} == {site.stack}
        found = site.dive("status", site.code)
        assert "deployment COMPLETE" in found
        assert "services HEALTHY" in found
        assert len(re.findall("login proven", found)) == 4


@pytest.mark.parametrize("portal", CODES)
@pytest.mark.parametrize("home", CODES)
def test_people_of_each_country_sign_in_at_each_other(coalition: Sites, portal: str, home: str) -> None:
    assert _reads(coalition[portal], coalition[home]) == 200


def test_operators_exchange_public_files_alone(coalition: Sites) -> None:
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


@dataclass(frozen=True)
class Seen:
    """What an operator sees meanwhile: the exit code of `./dive status`, the health, and the links that are pending.

    `./dive up` heals the country and ends with 0: each link has been proven before.
    """

    status: int = 0
    health: str = "healthy"
    pending: frozenset[str] = frozenset()


WELL = Seen()


def _without(code: str, status: int = 0, health: str = "healthy") -> Seen:
    return Seen(status, health, frozenset({code}))


@dataclass(frozen=True)
class Disturbance:
    """What happens to the network, what each operator `sees`, and who is `refused`: (portal, home) of people.

    All others sign in and read, of the countries in `sees`. `seconds`: for one `./dive up` with its proof by logins.
    """

    name: str
    begins: Callable[[Sites], AbstractContextManager[None]]
    sees: Mapping[str, Seen]
    refused: frozenset[tuple[str, str]] = frozenset()
    seconds: float = 180
    also: tuple[tuple[str, ...], ...] = ()  # commands of France's operator


def _both(one: str, other: str) -> frozenset[tuple[str, str]]:
    return frozenset({(one, other), (other, one)})


def _lost(code: str, sites: Sites) -> AbstractContextManager[None]:
    return hosts.lost(sites[code].host)


def _partition(one: str, other: str, sites: Sites) -> AbstractContextManager[None]:
    return hosts.partition(sites[one].host, sites[other].host)


# Partners answer their operators' machines in each partition; of a host that is lost nothing is known.
DISTURBANCES = (
    Disturbance(
        "partition of two spokes",
        partial(_partition, "FRA", "GBR"),
        {"FRA": _without("GBR"), "GBR": _without("FRA"), "USA": WELL},
        _both("FRA", "GBR"),
    ),
    Disturbance(
        "partition of hub and spoke",
        partial(_partition, "USA", "FRA"),
        {"FRA": _without("USA"), "USA": _without("FRA"), "GBR": WELL},
        _both("USA", "FRA"),
    ),
    Disturbance(
        "lost spoke",
        partial(_lost, "GBR"),
        {"USA": _without("GBR", 2, "unknown"), "FRA": _without("GBR", 2, "unknown")},
        frozenset({("USA", "GBR"), ("FRA", "GBR")}),
    ),
    Disturbance(
        "lost hub",
        partial(_lost, "USA"),
        {"FRA": _without("USA", 2, "unknown"), "GBR": _without("USA", 2, "unknown")},
        frozenset({("FRA", "USA"), ("GBR", "USA")}),
        also=(("restart", "FRA", "opa"), ("reload-secrets", "FRA", "redis", "--generate")),
    ),
    Disturbance(
        "slow link between countries",
        lambda sites: hosts.slow(sites["FRA"].host, delay=0.3, loss=0.01),
        {"FRA": WELL, "USA": WELL},
    ),
    Disturbance(
        "operator far away",
        lambda sites: hosts.slow(sites["FRA"].host, delay=0.05, also_here=True),
        {"FRA": WELL},
        seconds=300,
    ),
)


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=[row.name for row in DISTURBANCES])
def test_what_works_while_the_network_is_disturbed(coalition: Sites, disturbance: Disturbance) -> None:
    """Each country is deployed and healed, serves the people whom it reaches, and reports what waits for others."""
    with disturbance.begins(coalition):
        for code, seen in disturbance.sees.items():
            site = coalition[code]
            site.stop("kas")
            site.dive("up", code, within=disturbance.seconds)
            assert len(site.running()) == 9
            found = site.status(expected=seen.status)
            assert found["deployment"]["state"] == "COMPLETE"
            assert found["health"] == seen.health
            own = {link["target"] if link["source"] == code else link["source"] for link in found["links"]}
            assert own == {*CODES} - {code}, "each was proven before"
            assert {
                link["target"] if link["source"] == code else link["source"] for link in found["links"] if link["error"]
            } == seen.pending
        for command in disturbance.also:
            coalition["FRA"].dive(*command)
        for portal in disturbance.sees:
            for home in disturbance.sees:
                if (portal, home) not in disturbance.refused:
                    assert _reads(coalition[portal], coalition[home]) == 200
        for portal, home in disturbance.refused:
            with pytest.raises(LoginFailed) as refused:
                _reads(coalition[portal], coalition[home])
            assert refused.value.away
    wait_for(lambda: _signs_in(coalition, disturbance.refused), within=60)
    for code in disturbance.sees:
        coalition[code].dive("up", code)
        assert not any(link["error"] for link in coalition[code].status()["links"]), "the next run proves it"


def _signs_in(sites: Sites, pairs: frozenset[tuple[str, str]]) -> bool:
    try:
        return all(_reads(sites[portal], sites[home]) == 200 for portal, home in pairs)
    except LoginFailed:
        return False


def test_a_second_update_changes_no_container(coalition: Sites) -> None:
    for site in coalition.values():
        before = site.running()
        site.dive("up", site.code)
        assert site.running() == before


def test_what_is_declared_is_published_at_the_address_of_the_host(coalition: Sites) -> None:
    for site in coalition.values():
        declared = declared_specs(json.loads(site.pulumi("stack", "export", "--show-secrets")))[Phase.DEPLOYMENT]
        assert isinstance(declared, DeploymentSpec)
        assert {row.declared.published for row in declared.containers} == {site.host.address}
