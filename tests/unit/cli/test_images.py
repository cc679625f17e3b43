"""`./dive images`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.engines.docker import engine
from dive_infra.images import resolution
from dive_infra.images.resolution import ResolvedImage


def test_the_list_of_images_says_what_is_on_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for country in ("usa", "fra"):
        (tmp_path / f"Pulumi.{country}.yaml").touch()
    monkeypatch.setattr(paths, "STACKS", tmp_path)

    def find(_: object, service: str, __: str) -> ResolvedImage | None:
        return ResolvedImage("sha256:" + "a" * 64, "dive/redis:1", "present") if service == "redis" else None

    monkeypatch.setattr(resolution, "find", find)
    monkeypatch.setattr(engine, "client", object)
    listed = {line.split()[0]: line for line in CliRunner().invoke(app, ["images", "list"]).stderr.splitlines()}
    assert listed["redis"].split()[2:] == ["dive/redis:1", "a" * 12]
    assert listed["mongodb"].endswith("not on the engine")


def test_the_list_of_images_names_an_engine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    result = CliRunner().invoke(app, ["images", "list"])
    assert result.exit_code == 1
    assert "no Docker engine answers at unix:///nonexistent/docker.sock (DOCKER_HOST)" in result.stderr
