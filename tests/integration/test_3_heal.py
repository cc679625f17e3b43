"""What is damaged is healed by one command, nothing else is touched, and no data is lost."""

import json
from collections.abc import Iterator

import docker
import pytest

from dive_infra.checks import runner
from dive_infra.checks.phases import checks
from dive_infra.findings import Finding
from dive_infra.machine.state import ROOT
from dive_infra.operations.stack import declared
from dive_infra.orchestration.states import Phase
from tests.faults.fault import Fault, Scene
from tests.faults.table import FAULTS, Healed, markdown
from tests.integration.coalition import Country
from tests.integration.live import running, told

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def healed(request: pytest.FixtureRequest) -> Iterator[list[Healed]]:
    """What passed; written into the documentation when that is asked for."""
    rows: list[Healed] = []
    yield rows
    if request.config.getoption("--docs"):
        (ROOT / "docs" / "healing-table.md").write_text(markdown(rows))


def wrong(country: Country, phase: Phase) -> list[Finding]:
    """What the phase's validator finds off now."""
    spec = declared(json.loads(country.pulumi("stack", "export", "--show-secrets").stdout))[phase]
    return [f for f in runner.run(checks(spec), 20).findings if f.answer != "valid"]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{f.country}-{f.title.replace(' ', '-')}" for f in FAULTS])
def test_one_command_heals_it_and_touches_nothing_else(
    request: pytest.FixtureRequest,
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    fault: Fault,
    healed: list[Healed],
) -> None:
    whole = bool(request.config.getoption("--whole"))
    if not (whole or fault.selected):
        pytest.skip("runs with --whole")
    country = {"USA": usa, "FRA": fra}[fault.country]
    scene = Scene(docker_engine, usa, fra, country)
    before = running(docker_engine)
    assert not wrong(country, fault.red), "valid before"
    fault.damage(scene)
    seen = wrong(country, fault.red)
    assert seen, "the validator cannot see it"

    run = country.run(*fault.command.split()[1:])
    assert run.ok, told(run)
    assert fault.heals <= run.changes.keys(), told(run)
    after = running(docker_engine)
    spared = before.keys() - {country.names.container(service) for service in fault.touched}
    assert {n: after.get(n) for n in spared} == {n: before[n] for n in spared}
    assert after.keys() == before.keys()
    assert not wrong(country, fault.red), "valid again"
    fault.check(scene)
    if whole:
        again = country.up()
        assert again.ok, told(again)
        assert not again.changes, told(again)
    healed.append(Healed(fault, str(seen[0]).partition("; next:")[0], tuple(run.changes), run.seconds))
