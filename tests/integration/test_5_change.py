"""What preview announces is what the update does, no more and no less."""

from collections.abc import Iterator

import docker
import pytest

from dive_infra.seeds.store import connect
from tests.coalition.country import ROOT, Country
from tests.coalition.live import documents, running, told
from tests.faults.fault import Scene
from tests.integration.edits import EDITS, Edit

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module", autouse=True)
def afterwards(usa: Country, fra: Country) -> Iterator[None]:
    """Later tests run the program of this checkout."""
    yield
    usa.program = fra.program = ROOT


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make each edit alone with --whole; else the selected ones, those of one round together."""
    if "edits" not in metafunc.fixturenames:
        return
    found: dict[str, list[Edit]] = {}
    for edit in EDITS:
        name = edit.title.replace(" ", "-") if metafunc.config.getoption("--whole") else edit.selected
        if name:
            found.setdefault(f"{edit.country}-{name}", []).append(edit)
    metafunc.parametrize("edits", found.values(), ids=found.keys())


def test_what_preview_announces_is_what_the_update_does(
    usa: Country, fra: Country, docker_engine: docker.DockerClient, edits: list[Edit]
) -> None:
    (code,), (flags,) = {edit.country for edit in edits}, {edit.flags for edit in edits}
    country = {"USA": usa, "FRA": fra}[code]
    for edit in edits:
        edit.make(Scene(docker_engine, usa, fra, country))
    announced = country.run("preview", *flags)
    assert announced.ok, told(announced)
    for edit in edits:
        missing = edit.does - announced.steps
        assert not missing, f"{edit.title}: missing {missing} in {sorted(announced.steps)}"
    before = running(docker_engine)
    run = country.run("up", *flags)
    assert run.ok, told(run)
    if all(edit.quiet for edit in edits):
        assert running(docker_engine) == before, "nothing restarts at anybody"
    assert run.steps == announced.steps, (
        f"announced alone: {sorted(announced.steps - run.steps)}, done alone: {sorted(run.steps - announced.steps)}"
        f"\n{announced.messages}\n{run.messages}"
    )


def test_the_announced_documents_are_there(fra: Country) -> None:
    with connect(documents(fra)) as database:
        assert database["resources"].count_documents({}) == fra.settings.documents
