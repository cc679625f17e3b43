"""Scenarios of a resilient deployment: skipped, in part invalid, failed.

An interrupted first deployment is resumed in `test_2_up`; that a destroyed country leaves clean rows is seen in
`test_5_sweep`, which destroys one.
"""

import docker
import pytest

from dive_infra.orchestration.states import Phase, State
from dive_infra.seeds.store import connect
from tests.coalition.country import Country, Run
from tests.coalition.live import documents, record, running, runs, told

pytestmark = pytest.mark.timeout(1500)


def skipped(run: Run) -> list[Phase]:
    """Return the phases that the run skipped as valid."""
    return [phase for phase in Phase if f"✓ {phase} phase complete and validated, skipping (" in run.messages]


def test_a_second_deployment_skips_every_phase(usa: Country, fra: Country, docker_engine: docker.DockerClient) -> None:
    before, proven = running(docker_engine), runs(usa, fra)
    run = fra.up()
    assert run.ok, told(run)
    assert skipped(run) == list(Phase), told(run)
    assert not run.changes
    assert running(docker_engine) == before
    assert runs(usa, fra) == proven, "nothing was written"


def test_one_invalid_phase_runs_again_among_valid_ones(usa: Country, fra: Country) -> None:
    proven = runs(usa, fra)
    with connect(documents(fra)) as database:
        database["resources"].delete_one({"_id": min(d["_id"] for d in database["resources"].find({}, {"_id": True}))})
    run = fra.up()
    assert run.ok, told(run)
    again = {Phase.SEEDING, Phase.VERIFICATION}  # the latter depends on all others
    assert skipped(run) == [phase for phase in Phase if phase not in again], told(run)
    after = runs(usa, fra)
    assert {phase for phase in Phase if after[phase] != proven[phase]} == again


def test_a_failed_deployment_is_continued_once_its_cause_is_mended(
    usa: Country, fra: Country, docker_engine: docker.DockerClient
) -> None:
    """The backend is given the image of another service, with which it cannot start."""
    before = running(docker_engine)
    backend = fra.names.container("backend")
    wrong = docker_engine.containers.get(fra.names.container("opa")).attrs["Image"]
    images = fra.configuration.get("dive:images", {})
    failed = fra.up(images={**images, "backend": wrong})
    assert not failed.ok
    assert backend in failed.messages
    assert "Traceback" not in failed.messages
    with record(usa) as store:
        current = store.current("FRA")
        assert current
        assert current.state != State.COMPLETE

    run = fra.up(images=images)
    assert run.ok, told(run)
    after = running(docker_engine)
    assert {n: v for n, v in after.items() if n != backend} == {n: v for n, v in before.items() if n != backend}
    with record(usa) as store:
        current = store.current("FRA")
        assert current
        assert current.state == State.COMPLETE
        holder = store.holder("FRA")
        assert holder is None or not holder.live
