"""What a run loads before it starts: the program that declares needs no validator."""

import subprocess
import sys
from pathlib import Path

from dive_infra.machine import state
from dive_infra.machine.toolchain import Toolchain
from dive_infra.orchestration.states import Phase


def test_the_program_loads_no_validator() -> None:
    code = "import sys, dive_infra.stacks.hub, dive_infra.stacks.spoke; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=state.ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines())
    assert "dive_infra.checks.spec" in loaded
    assert not loaded & {f"dive_infra.checks.{phase.lower()}" for phase in Phase}
    assert "redis" not in loaded, "the client of a validator: a third of a second"


def test_bytecode_is_kept_whatever_the_shell_says() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = state.environment(tools, "unix:///var/run/docker.sock", given)
    assert (given | added)["PYTHONDONTWRITEBYTECODE"] == ""


def test_every_pulumi_of_the_environment_is_judged_unless_its_owner_says_otherwise() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = state.environment(tools, "unix:///var/run/docker.sock", given)
    assert Path(added["PULUMI_OPTION_POLICY_PACK"], "PulumiPolicy.yaml").is_file()
    without = state.environment(tools, "unix:///var/run/docker.sock", given | {"PULUMI_OPTION_POLICY_PACK": ""})
    assert "PULUMI_OPTION_POLICY_PACK" not in without
