"""What preview announces is what the update does, no more and no less."""

from collections.abc import Iterator

import docker
import pytest

from dive_infra.seeds.store import connect
from tests.coalition.country import ROOT, Country
from tests.coalition.live import documents, told
from tests.faults.fault import Scene
from tests.integration.edits import EDITS, Edit

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module", autouse=True)
def afterwards(usa: Country, fra: Country) -> Iterator[None]:
    """Later tests run the program of this checkout."""
    yield
    usa.program = fra.program = ROOT


@pytest.mark.parametrize("edit", EDITS, ids=[e.title.replace(" ", "-") for e in EDITS])
def test_what_preview_announces_is_what_the_update_does(
    request: pytest.FixtureRequest, usa: Country, fra: Country, docker_engine: docker.DockerClient, edit: Edit
) -> None:
    if not (edit.selected or request.config.getoption("--whole")):
        pytest.skip("runs with --whole")
    country = {"USA": usa, "FRA": fra}[edit.country]
    edit.make(Scene(docker_engine, usa, fra, country))
    announced = country.run("preview", *edit.flags)
    assert announced.ok, told(announced)
    assert edit.does <= announced.steps, f"missing {edit.does - announced.steps} in {sorted(announced.steps)}"
    run = country.run("up", *edit.flags)
    assert run.ok, told(run)
    assert run.steps == announced.steps, (
        f"announced alone: {sorted(announced.steps - run.steps)}, done alone: {sorted(run.steps - announced.steps)}"
        f"\n{announced.messages}\n{run.messages}"
    )


def test_the_announced_documents_are_there(fra: Country) -> None:
    with connect(documents(fra)) as database:
        assert database["resources"].count_documents({}) == fra.settings.documents
