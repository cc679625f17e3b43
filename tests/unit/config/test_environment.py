"""Variables of the caller: which count, which are left out, and that each of these is named once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.automation import state_export
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config import environment
from dive_infra.config.environment import FAMILIES
from dive_infra.config.paths import ROOT

PREFIXES = [family.prefix for family in FAMILIES]
KEPT = {name for family in FAMILIES for name in family.kept}
NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=24)


@given(st.sampled_from(PREFIXES), NAMES)
def test_no_variable_of_a_family_reaches_a_program_of_ours(prefix: str, rest: str) -> None:
    name = prefix + rest
    if name not in KEPT:
        assert environment.counting({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


@given(st.sampled_from(PREFIXES), NAMES)
def test_pulumi_gets_none_of_them_in_a_runner(prefix: str, rest: str) -> None:
    name = prefix + rest
    if name in KEPT:
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(name, "x")
        assert name not in Runner.of("fra").environment
        assert name in Runner("fra", variables={name: "ours"}).environment, "our own are added afterwards"


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_the_page_keeps_is_kept(name: str) -> None:
    assert environment.counting({name: "x"}) == {name: "x"}


@given(NAMES)
def test_other_variables_are_not_touched(name: str) -> None:
    if not name.startswith(tuple(PREFIXES)):
        assert environment.counting({name: "x"}) == {name: "x"}


def test_the_ones_of_bug_reports() -> None:
    reported = (
        "PULUMI_OPTION_FILE",
        "PULUMI_OPTION_PARALLEL",
        "PULUMI_OPTION_SHOW_SECRETS",
        "PULUMI_DEBUG_GRPC",
        "TF_LOG_PROVIDER",
        "SSLKEYLOGFILE",
        "PGSERVICE",
        "PGOPTIONS",
        "PYTHONSAFEPATH",
        "PYTHONHOME",
        "PIP_USER",
        "DOCKER_API_VERSION",
        "KEYCLOAK_TLS_INSECURE_SKIP_VERIFY",
    )
    assert environment.left_out(reported) == sorted(reported)


def test_an_export_does_not_write_the_state_where_a_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for Pulumi that does as Pulumi does with its options."""
    stand_in = tmp_path / "pulumi"
    stand_in.write_text('#!/bin/sh\n[ -z "$PULUMI_OPTION_FILE" ] || echo secret > "$PULUMI_OPTION_FILE"\necho "{}"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_OPTION_FILE", str(tmp_path / "leaked"))
    assert state_export.export_state("fra") == {}
    state_export.prefetch("fra", os.environ)
    assert state_export.export_state("fra") == {}
    assert not (tmp_path / "leaked").exists()


LEAVE_OUT = (
    "import os; from dive_infra.config import environment as e; "
    "e.leave_out(); e.leave_out(); print(*sorted(os.environ), sep=chr(10))"
)


def test_each_is_named_once_and_an_empty_one_is_not() -> None:
    given_ = {"PATH": "/bin", "PGTZ": "x", "PULUMI_OPTION_é": "x", "PGUSER": "", "PULUMI_HOME": "/h"}
    done = subprocess.run([sys.executable, "-c", LEAVE_OUT], cwd=ROOT, env=given_, capture_output=True, text=True)
    assert {"PULUMI_HOME", "PATH"} <= {*done.stdout.split()}
    assert not {"PGTZ", "PGUSER"} & {*done.stdout.split()}
    assert done.stderr.count("PGTZ") == done.stderr.count("PULUMI_OPTION_") == 1
    assert "PGUSER" not in done.stderr


def launched(tmp_path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the launcher of a checkout whose environment is ready and whose command prints its variables."""
    folder = tmp_path / "checkout"
    (folder / "dive_infra" / "config").mkdir(parents=True)
    (folder / "dive_infra" / "cli").mkdir()
    for name in ("dive", "requirements.txt", "requirements-uv.txt", "dive_infra/config/environment.py"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "dive_infra" / "cli" / "start.py").write_text("import os; print(*sorted(os.environ), sep=chr(10))")
    (folder / "dive").chmod(0o755)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    contents = (
        'cd "$0"; wanted=requirements.txt python=python3; eval "$(grep -E "^(hook|contents)=" dive)"; '
        'echo "$contents" > .venv/.contents'
    )
    subprocess.run(["bash", "-c", contents, str(folder)], check=True)
    given_ = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run([str(folder / "dive"), "status"], env=given_, capture_output=True, text=True)


@pytest.mark.parametrize(
    "name", ["PYTHONSAFEPATH", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PIP_USER", "UV_TARGET"]
)
def test_the_launcher_works_with_anything_its_caller_exports_for_python(tmp_path: Path, name: str) -> None:
    done = launched(tmp_path, **{name: "1", "PIP_INDEX_URL": "https://index.invalid"})
    assert done.returncode == 0, done.stderr
    assert {"PIP_INDEX_URL", "PATH"} <= {*done.stdout.split()}
    assert name not in done.stdout.split()
    assert done.stderr == f"dive: left out {name}; see docs/reference/environment.md\n"
