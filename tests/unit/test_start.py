"""What a run loads before it starts: the program that declares needs no validator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dive_infra.automation import workspace
from dive_infra.config import paths
from dive_infra.orchestration.states import Phase
from dive_infra.toolchain.toolchain import Toolchain


def test_the_program_loads_no_validator() -> None:
    code = "import sys; from dive_infra.stacks import program; program.load_phases(); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines())
    assert {f"dive_infra.phases.{phase.lower()}" for phase in Phase} <= loaded
    assert "dive_infra.checks.spec" in loaded
    assert not loaded & {f"dive_infra.checks.{phase.lower()}" for phase in Phase}
    assert "redis" not in loaded, "the client of a validator: a third of a second"


def test_the_packages_of_providers_are_loaded_while_the_engine_looks_at_preflight() -> None:
    code = "import sys, dive_infra.stacks.program; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines())
    assert "dive_infra.phases.preflight" in loaded
    assert not loaded & {"pulumi_docker", "pulumi_keycloak", "pulumi_postgresql"}


@pytest.mark.parametrize(("asked", "sent"), [("", ["b"]), ("yes", ["a", "b"])])
def test_the_trace_of_the_sdk_is_sent_to_the_engine_only_where_it_is_asked_for(asked: str, sent: list[str]) -> None:
    code = (
        "import pulumi; from dive_infra.dynamic.runtime import patches; sent = []; patches.silence_debug_log();"
        "engine = type('Engine', (), {'Log': lambda self, request: sent.append(request.message)})();"
        "pulumi.log.get_engine = lambda: engine; pulumi.log.debug('a'); pulumi.log.warn('b'); print(sent)"
    )
    command, environment = [sys.executable, "-c", code], os.environ | {"DIVE_TRACEBACK": asked}
    done = subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{sent}\n"


def test_a_process_that_lives_for_seconds_ends_without_looking_for_garbage() -> None:
    code = (
        "import atexit, gc; from dive_infra.process import gc_tuning; often = gc.get_threshold()[0];"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0, gc.get_threshold()[0] > often)); gc_tuning.tune()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


_PROGRAM = """
import contextlib, runpy, pulumi
with contextlib.suppress(pulumi.RunError):  # there is no engine: it gets as far as the settings
    runpy.run_path("__main__.py")
pulumi.log.get_engine = lambda: print("sent")
pulumi.log.debug("a")
"""
_PROVIDERS = """
import sys
from importlib.machinery import ModuleSpec
sys.modules["__main__"].__spec__ = ModuleSpec("pulumi.dynamic.__main__", None)
import dive_infra.dynamic.base
"""
_PACK = """
import contextlib, grpc
from policy.__main__ import serve
grpc.server = None  # it gets as far as the server
with contextlib.suppress(TypeError):
    serve("")
"""


@pytest.mark.parametrize("code", [_PROGRAM, _PROVIDERS, _PACK], ids=["the program", "our providers", "the policy pack"])
def test_every_process_of_a_run_is_one_that_lives_for_seconds(code: str) -> None:
    asked = "import gc, atexit; atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
    done = subprocess.run([sys.executable, "-c", asked + code], cwd=paths.ROOT, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_bytecode_is_kept_whatever_the_shell_says() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = workspace.environment(tools, "unix:///var/run/docker.sock", given)
    assert (given | added)["PYTHONDONTWRITEBYTECODE"] == ""


def test_every_pulumi_of_the_environment_is_judged_unless_its_owner_says_otherwise() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    given = {"PULUMI_BACKEND_URL": "file:///there", "PULUMI_CONFIG_PASSPHRASE": "x"}
    added = workspace.environment(tools, "unix:///var/run/docker.sock", given)
    assert Path(added["PULUMI_OPTION_POLICY_PACK"], "PulumiPolicy.yaml").is_file()
    without = workspace.environment(tools, "unix:///var/run/docker.sock", given | {"PULUMI_OPTION_POLICY_PACK": ""})
    assert "PULUMI_OPTION_POLICY_PACK" not in without


def test_looks_at_live_resources_do_not_wait_for_each_other() -> None:
    tools = Toolchain(Path("/opt/pulumi/pulumi"), [Path("/opt/pulumi")], "installed")
    assert workspace.tools(tools, {})["PULUMI_PARALLEL_DIFF"] == "true"
    assert workspace.tools(tools, {"PULUMI_PARALLEL_DIFF": "false"})["PULUMI_PARALLEL_DIFF"] == "false"


@pytest.mark.parametrize(("verb", "code"), [(["explain", "1301"], 0), (["explain", "none"], 2)])
def test_a_verb_ends_without_waiting_for_threads_of_client_libraries(verb: list[str], code: int) -> None:
    idle = "import sys, threading, time; threading.Thread(target=time.sleep, args=(60,)).start()"
    command = f"{idle}; sys.argv = ['./dive', *{verb}]; from dive_infra.cli import start; start.main()"
    done = subprocess.run([sys.executable, "-c", command], cwd=paths.ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    assert done.stdout or done.stderr


def test_the_benchmark_needs_nothing_but_what_a_deployment_needs() -> None:
    code = "import sys; sys.modules['pytest'] = None; import tests.bench.__main__"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)


def test_what_is_started_in_the_background_heeds_an_interrupt() -> None:
    """Else Pulumi waits for its plugins until it kills them, at the end of each of their lives."""
    asked = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"]
    code = f"import subprocess; from dive_infra.cli import start; start.handle_interrupts(); subprocess.run({asked})"
    command = ["sh", "-c", 'trap "" INT; "$@"', "shell", sys.executable]
    kept = subprocess.run([*command, *asked[1:]], capture_output=True, text=True, check=True)
    assert kept.stdout == "True\n", "this is how a shell starts it"
    heeded = subprocess.run([*command, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert heeded.stdout == "False\n"
