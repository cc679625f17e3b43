"""The nightly look of the drift workflow, as its runner does it: on a deployed country, and on one that was damaged."""

import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from dive_infra.config.paths import ROOT
from dive_infra.engines.docker.containers import await_healthy
from tests.coalition import checkout
from tests.coalition.country import Country

pytestmark = pytest.mark.timeout(300)

COMMAND = [".github/scripts/drift.sh", "FRA", "drift"]


@pytest.fixture
def runner(usa: Country, fra: Country, tmp_path: Path) -> Path:
    """The checkout that has deployed the coalition: with its stack files, and with what it wrote beside them."""
    place = checkout.copy(tmp_path / "checkout")
    for country in (usa, fra):
        shutil.copy(country.stack_file(), place)
        shutil.copy(ROOT / f"verification-report-{country.names.prefix}.json", place)
    return place


def look(place: Path, country: Country) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(COMMAND, cwd=place, env=country.environment, capture_output=True, text=True)


@pytest.mark.whole
def test_nothing_has_drifted(runner: Path, fra: Country) -> None:
    done = look(runner, fra)
    told = (runner / "drift" / "fra.md").read_text()
    assert done.returncode == 0, told + done.stderr
    assert "| `./dive status FRA` | healthy |" in told
    assert "as declared" in told
    assert "Next:" not in told


@pytest.mark.whole  # status and preview of a stopped container are in `test_4_status` and `test_4_preview`
def test_what_drifted_is_reported_with_the_command_that_brings_it_back(
    runner: Path, fra: Country, docker_engine: docker.DockerClient
) -> None:
    name = fra.names.container("frontend")
    docker_engine.containers.get(name).stop(timeout=5)
    try:
        done = look(runner, fra)
    finally:
        docker_engine.containers.get(name).start()
        await_healthy(docker_engine, name, 60)
    told = (runner / "drift" / "fra.md").read_text()
    assert done.returncode == 1, told + done.stderr
    assert "**findings**" in told
    assert "**differs from what is declared**" in told
    assert name in told, "what it is that differs"
    assert "`./dive up FRA`" in told
