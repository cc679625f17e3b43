"""The first deployment of France, killed again and again, at every kind of point, ends as an undisturbed one."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import docker
import pytest

from dive_infra.automation.pending_creates import REMOVERS, REPEATABLE
from dive_infra.config.paths import ROOT
from tests.coalition.country import Country
from tests.coalition.live import VALIDATED, remains, wrong
from tests.faults.sweep import ELSEWHERE, TRIES, Everything, Selection, Swept, markdown, reachable, sample, steps, sweep

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(4 * 3600)]


@pytest.fixture(scope="module")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Every point takes longer than all other tests together; without --sweep a few are tried."""
    return bool(request.config.getoption("--sweep") or request.config.getoption("--whole"))


@pytest.fixture(scope="module")
def names(thorough: bool) -> set[str]:
    return reachable() if thorough else sample()


@pytest.fixture(scope="module")
def swept(request: pytest.FixtureRequest, usa: Country, fra: Country, names: set[str], thorough: bool) -> Swept:
    """France, deployed under kills."""
    plan = Everything() if request.config.getoption("--whole") else Selection(names, TRIES if thorough else 1)
    return sweep(fra, plan)


def unrecorded(client: docker.DockerClient, state: Mapping[str, Any]) -> list[str]:
    """Return what the engine holds of France and its state does not name."""
    known = json.dumps(state)
    return [name for name in remains(client, "dive.country=FRA") if json.dumps(name) not in known]


def test_it_ends_as_declared_and_valid(
    request: pytest.FixtureRequest, usa: Country, fra: Country, docker_engine: docker.DockerClient, swept: Swept
) -> None:
    """All that the validators compare is as declared, with nothing beside it; no operation and no lock is left."""
    assert swept.last.code == 0, swept.last.output[-6000:]
    state = fra.state()
    off = [
        *map(str, wrong(state, *VALIDATED, warnings=True)),
        *(pending["resource"]["urn"] for pending in state["deployment"].get("pending_operations") or ()),
        *map(str, (fra.home / "state" / ".pulumi" / "locks").rglob("*.json")),
        *(f"{name} is not in the state" for name in unrecorded(docker_engine, state)),
    ]
    if request.config.getoption("--docs"):
        table = markdown(swept, [p for k, _ in swept.kills for p in k.told], valid=not off)
        (ROOT / "docs" / "reference" / "crash-points-table.md").write_text(table)
    assert off == []


def test_every_step_is_reached_and_killed_at(swept: Swept, names: set[str]) -> None:
    known = steps() - ELSEWHERE.keys()
    missed = sorted(known - swept.reached)
    assert missed == [], "a step that no first deployment takes stands in `ELSEWHERE`, with the reason"
    killed = Counter(p.name for p in swept.points.elements() if p.moment != "made")
    assert not (swept.reached & names) - killed.keys()


def test_every_type_of_another_provider_is_killed_at(swept: Swept, names: set[str]) -> None:
    killed = {p.name for p in swept.points if p.moment == "made"}
    assert killed == (REMOVERS.keys() | REPEATABLE) & names


def test_what_was_made_and_not_recorded_is_found(swept: Swept, thorough: bool) -> None:
    if not thorough:
        pytest.skip("a matter of luck in a few kills; runs with --sweep or --whole")
    assert swept.unrecorded, "else recovery was never needed"


def test_the_orphan_ends_by_itself(swept: Swept) -> None:
    """Within two seconds, which `test_engine_watchdog` holds; here other deployments may share the machine."""
    assert 0 < max(killed.lived for killed, _ in swept.kills) < 10


def test_no_process_of_a_killed_engine_remains(swept: Swept) -> None:
    assert not [name for killed, _ in swept.kills for name in killed.remained]
