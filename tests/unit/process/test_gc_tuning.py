"""Processes that live for seconds collect no garbage."""

import subprocess
import sys

import pytest

from dive_infra.config import paths


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
