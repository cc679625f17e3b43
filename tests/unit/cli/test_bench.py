"""`./dive bench`."""

import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.cli import bench
from dive_infra.cli.__main__ import app
from dive_infra.config import paths


def test_the_benchmark_needs_nothing_but_what_a_deployment_needs() -> None:
    code = "import sys; sys.modules['pytest'] = None; import tests.bench.__main__"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)


@pytest.mark.parametrize("asked", [[], ["--members", "1,8"]])
def test_the_members_are_passed_on_if_they_are_asked_for(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(bench, "prepare", dict)
    monkeypatch.setattr(bench.images, "ensure", lambda _: None)
    monkeypatch.setattr(bench.subprocess, "run", run)
    assert CliRunner().invoke(app, ["bench", "--rounds", "2", *asked]).exit_code == 0
    assert commands == [[sys.executable, "-m", "tests.bench", "--rounds", "2", *asked]]
