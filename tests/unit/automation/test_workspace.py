"""The environment in which Pulumi runs, and the folder of a coalition."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dive_infra.automation import workspace
from dive_infra.cli import environment
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.toolchain.toolchain import Toolchain


def test_bytecode_is_kept_in_spite_of_the_shell() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = workspace.environment(tools, {}, given)
    assert (given | added)["PYTHONDONTWRITEBYTECODE"] == ""


def test_every_pulumi_of_the_environment_is_judged_unless_its_owner_says_otherwise() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = workspace.environment(tools, {}, given)
    assert Path(added["PULUMI_OPTION_POLICY_PACK"], "PulumiPolicy.yaml").is_file()
    without = workspace.environment(tools, {}, given | {"PULUMI_OPTION_POLICY_PACK": ""})
    assert "PULUMI_OPTION_POLICY_PACK" not in without


def test_looks_at_live_resources_do_not_wait_for_each_other() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    assert workspace.tools(tools, {})["PULUMI_PARALLEL_DIFF"] == "true"
    assert workspace.tools(tools, {"PULUMI_PARALLEL_DIFF": "false"})["PULUMI_PARALLEL_DIFF"] == "false"


TOOLS = Toolchain(Path("pulumi"), [], "built")


def test_the_variables_of_the_engine_replace_those_of_the_shell() -> None:
    given = {"PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x", "DOCKER_CONTEXT": "other"}
    added = workspace.environment(TOOLS, {"DOCKER_HOST": "ssh://host", "DOCKER_CONTEXT": ""}, given)
    assert {k: v for k, v in (given | added).items() if k.startswith("DOCKER_")} == {
        "DOCKER_HOST": "ssh://host",
        "DOCKER_CONTEXT": "",
    }


@pytest.mark.parametrize("proxy", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
def test_no_proxy_is_asked_for_the_addresses_of_a_country(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    (tmp_path / "Pulumi.fra.yaml").write_text("config:\n  dive:domain: 'dive.example'\n")
    (tmp_path / "Pulumi.usa.yaml").write_text("config: [")
    (tmp_path / "Pulumi.deu.yaml").write_text("config:\n  dive:address: 192.0.2.7\n")
    given = {proxy: "http://proxy:3128", "no_proxy": "intranet,.localhost"}
    added = workspace.tools(TOOLS, given)
    assert added["NO_PROXY"] == added["no_proxy"] == "intranet,.localhost,.dive.example,192.0.2.7"
    assert "NO_PROXY" not in workspace.tools(TOOLS, {"no_proxy": "intranet"})


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
    added = workspace.environment(TOOLS, {}, {"PATH": "/bin"})
    assert (tmp_path / "Pulumi.yaml").read_bytes() == (paths.ROOT / "Pulumi.yaml").read_bytes()
    assert added["PULUMI_BACKEND_URL"] == (tmp_path / ".dive" / "state").as_uri()
    assert added["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(tmp_path / ".dive" / "passphrase")


def test_a_missing_folder_is_reported_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(paths, "STACKS", gone)
    with pytest.raises(workspace.StateError, match=f"expected one with stack files .*; next: mkdir -p {gone}"):
        workspace.environment(TOOLS, {}, {"PATH": "/bin"})


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "prepare", lambda **_: {"PULUMI_BACKEND_URL": "file:///a b"})


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
