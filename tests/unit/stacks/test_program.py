"""How the program starts: nothing is loaded before it is needed."""

import os
import subprocess
import sys

import pytest

from dive_infra.config import paths
from dive_infra.orchestration.states import Phase


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
