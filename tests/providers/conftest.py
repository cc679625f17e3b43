"""What several provider tests share."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dive_infra.dynamic.base import Provider
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.dynamic.runtime.deployment_run import DeploymentRun
from dive_infra.engines.docker import engine
from tests.support.lab import lab
from tests.support.record import HUB_NAMES, SECRETS, Book, Record, book, start


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """A hub's Postgres, hardened as in a deployment."""
    with closing(engine.client()) as client, lab(client, HUB_NAMES, SECRETS) as there:
        yield start(there)


@pytest.fixture
def orchestration(record: Record) -> Iterator[Book]:
    """A migrated orchestration database of its own."""
    with book(record) as found:
        yield found


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch) -> DeploymentRun:
    """The deployment of this test: a process serves one run, these tests serve one each."""
    context = RunContext()
    monkeypatch.setattr(Provider, "run", context)
    return context.deployment
