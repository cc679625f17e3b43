"""DIVE_STACKS: the stack files of another coalition are in a folder of their own, with its state and passphrase."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.automation import workspace
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.cli import environment
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.toolchain.toolchain import Toolchain

TOOLS = Toolchain(Path("pulumi"), [], "built")


def test_state_and_passphrase_are_beside_the_stack_files(tmp_path: Path) -> None:
    code = "from dive_infra.config import paths; print(paths.STACKS, paths.HOME)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        env={**os.environ, "DIVE_STACKS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path), str(tmp_path / ".dive")]


def test_the_folder_has_always_this_checkouts_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".dive")
    (tmp_path / "Pulumi.yaml").write_text("name: old")
    added = workspace.environment(TOOLS, "unix:///run/docker.sock", {"PATH": "/bin"})
    assert (tmp_path / "Pulumi.yaml").read_bytes() == (paths.ROOT / "Pulumi.yaml").read_bytes()
    assert added["PULUMI_BACKEND_URL"] == (tmp_path / ".dive" / "state").as_uri()
    assert added["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(tmp_path / ".dive" / "passphrase")


def test_a_folder_that_is_not_there_is_told_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(paths, "STACKS", gone)
    with pytest.raises(workspace.StateError, match=f"expected one with stack files .*; next: mkdir -p {gone}"):
        workspace.environment(TOOLS, "unix:///run/docker.sock", {"PATH": "/bin"})


def test_pulumi_is_given_the_stack_file_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Runner.of("fra").file is None, "in the checkout it finds its own"
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    command = Runner.of("fra").command("up")
    assert command[-2:] == ["--config-file", str(tmp_path / "Pulumi.fra.yaml")]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "prepare", lambda: {"PULUMI_BACKEND_URL": "file:///a b"})


@pytest.mark.usefixtures("prepared")
def test_the_shell_gets_variables_alone_and_its_user_the_option_for_stack_files_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").touch()
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    done = CliRunner().invoke(app, ["env"])
    assert done.stdout == "export PULUMI_BACKEND_URL='file:///a b'\n"
    assert f"pulumi up -s usa --config-file {tmp_path}/Pulumi.usa.yaml" in done.stderr


@pytest.mark.usefixtures("prepared")
def test_in_the_checkout_plain_pulumi_needs_no_option() -> None:
    assert CliRunner().invoke(app, ["env"]).stderr == ""
