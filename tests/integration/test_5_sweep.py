"""A deployment that is killed again and again, at every kind of point, ends as one that nobody disturbed."""

from collections import Counter
from typing import Any

import docker
import pytest

from dive_infra.automation.pending_creates import REMOVERS, REPEATABLE
from dive_infra.config.paths import ROOT
from dive_infra.orchestration.states import Phase, State, Status
from tests.coalition.country import Country
from tests.coalition.live import keycloak, record, remains, secrets, told
from tests.faults.inventory import differing, inventory
from tests.faults.sweep import ELSEWHERE, Everything, Selection, Swept, markdown, reachable, sample, steps, sweep

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(4 * 3600)]


@pytest.fixture(scope="module")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Every point takes longer than all other tests together; without --sweep a few stand for them."""
    return bool(request.config.getoption("--sweep") or request.config.getoption("--whole"))


@pytest.fixture(scope="module")
def names(thorough: bool) -> set[str]:
    return reachable() if thorough else sample()


@pytest.fixture(scope="module")
def undisturbed(usa: Country, fra: Country, docker_engine: docker.DockerClient) -> dict[str, object]:
    """What a deployment leaves that nobody disturbed."""
    run = fra.up()
    assert run.ok, told(run)
    return dict(inventory(docker_engine, usa, fra))


@pytest.fixture(scope="module")
def rows(
    undisturbed: dict[str, object], usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> dict[str, Any]:
    """France is destroyed, though some of it is stopped: what the record says of it then."""
    fra.secrets |= secrets(fra)
    for service in ("keycloak", "postgres", "mongodb"):  # what is stopped need not be asked
        docker_engine.containers.get(fra.names.container(service)).stop()
    gone = fra.destroy()
    assert gone.ok, told(gone)
    with record(usa) as store:
        steps_left = [step for phase in Phase if (step := store.step("FRA", phase))]
        return {"current": store.current("FRA"), "steps": steps_left, "holder": store.holder("FRA")}


@pytest.fixture(scope="module")
def swept(request: pytest.FixtureRequest, rows: dict[str, Any], fra: Country, names: set[str]) -> Swept:
    """France, deployed again under kills."""
    plan = Everything() if request.config.getoption("--whole") else Selection(names)
    return sweep(fra, plan)


def test_a_destroyed_country_leaves_nothing_but_clean_rows(
    rows: dict[str, Any], usa: Country, docker_engine: docker.DockerClient
) -> None:
    assert rows["current"]
    assert rows["current"].state == State.UNKNOWN
    assert [step for step in rows["steps"] if step.status != Status.PENDING] == []
    assert rows["holder"] is None or not rows["holder"].live
    assert not remains(docker_engine, "dive.country=FRA")
    with keycloak(usa) as admin:
        aliases = [i["alias"] for i in admin.get(f"/realms/{usa.names.realm}/identity-provider/instances")]
        clients = [c["clientId"] for c in admin.get(f"/realms/{usa.names.realm}/clients")]
        people = [u["username"] for u in admin.get(f"/realms/{usa.names.realm}/users", max=1000)]
    assert "fra-idp" not in aliases
    assert "dive-v3-broker-fra" not in clients
    assert not [name for name in people if "-fra-" in name]
    again = usa.up()
    assert again.ok, told(again)
    assert not any(name.endswith("-container") for name in again.changes), told(again)


def test_it_ends_as_if_nobody_had_disturbed_it(
    request: pytest.FixtureRequest,
    usa: Country,
    fra: Country,
    docker_engine: docker.DockerClient,
    undisturbed: dict[str, object],
    swept: Swept,
) -> None:
    assert swept.last.code == 0, swept.last.output[-6000:]
    off = differing(undisturbed, inventory(docker_engine, usa, fra))
    if request.config.getoption("--docs"):
        table = markdown(swept, [p for k, _ in swept.kills for p in k.told], same=not off)
        (ROOT / "docs" / "reference" / "crash-points-table.md").write_text(table)
    assert not off
    again = fra.up()
    assert again.ok, told(again)
    assert not again.changes, told(again)


def test_every_step_is_reached_and_killed_at(swept: Swept, names: set[str]) -> None:
    known = steps() - ELSEWHERE.keys()
    assert not known - swept.reached, "a step that no first deployment takes stands in `ELSEWHERE`, with the reason"
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
