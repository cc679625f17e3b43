"""The coalition of a run's integration tests: deployed once, damaged, healed, and removed at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from dive_infra.engines.docker import engine
from tests.coalition.country import Country
from tests.coalition.live import clear
from tests.faults.outcomes import MEASURED, write_pages


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--docs"):
        write_pages()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    client = engine.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def kept(request: pytest.FixtureRequest) -> Path | None:
    """The folder of a coalition that outlives this run, for those who go through long tables in portions."""
    given = request.config.getoption("--coalition")
    return Path(given).absolute() if given else None


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, kept: Path | None) -> Path:
    if kept is None:
        return tmp_path_factory.mktemp("coalition")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest, home: Path) -> Path:
    """The folder in which rows that passed are kept; part of the documentation when that is asked for."""
    return MEASURED if request.config.getoption("--docs") else home


@pytest.fixture(scope="session")
def usa(home: Path, kept: Path | None, docker_engine: docker.DockerClient) -> Iterator[Country]:
    country = Country("USA", home)
    if not (kept and country.known):
        clear(docker_engine)
        country.init()
        Country("FRA", home).init()  # the hub approves it: its request is there before
    yield country
    if not kept:
        clear(docker_engine)


@pytest.fixture(scope="session")
def fra(home: Path, usa: Country) -> Country:
    return Country("FRA", home)


@pytest.fixture
def passed(usa: Country, fra: Country) -> Iterator[Callable[[], None]]:
    """To be called at a test's end; where that is not reached, updates heal what it damaged, for the tests after it."""
    reached: list[bool] = []
    yield lambda: reached.append(True)
    if not reached:
        for country in (usa, fra):
            country.run("up", "--refresh")
