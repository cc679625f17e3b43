"""What prepares the machine for a verb, and what `./dive env` prints. What reads alone: `test_status.py`."""

import os
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dive_infra import engines
from dive_infra.cli import environment
from dive_infra.cli.__main__ import app
from dive_infra.engines.engine import EngineError
from dive_infra.results.remedy import Remedy


@pytest.fixture(autouse=True)
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared machine whose stacks name an engine elsewhere, which does not answer."""

    def away(_: Any) -> Any:
        raise EngineError("no Docker engine answers at ssh://fra (dive:engine)", Remedy.update())

    monkeypatch.setattr(os, "environ", dict(os.environ))  # which preparing changes
    monkeypatch.setattr(
        environment, "toolchain", SimpleNamespace(ensure=lambda *_: None, ensure_plugins=lambda *_: None)
    )
    monkeypatch.setattr(environment.workspace, "environment", lambda _, engine: {"PULUMI_HOME": "/p", **engine})
    monkeypatch.setattr(engines, "ensure", away)
    monkeypatch.setattr(engines, "current", lambda: SimpleNamespace(variables={"DOCKER_HOST": "ssh://fra"}))


def test_the_variables_are_printed_while_the_engine_is_away() -> None:
    """`pulumi stack output` needs none."""
    done = CliRunner().invoke(app, ["env"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["export PULUMI_HOME=/p", "export DOCKER_HOST=ssh://fra"]
    assert "no Docker engine answers at ssh://fra" in done.stderr
    assert "✗ Docker engine" in done.stderr
    assert "until then, pulumi can read the state alone" in done.stderr


def test_every_other_verb_ends_with_the_engines_error() -> None:
    with pytest.raises(typer.Exit):
        environment.prepare()
