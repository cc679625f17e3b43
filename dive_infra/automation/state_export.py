"""The state of a stack as Pulumi exports it, secrets in plain text: asked early, read when it is there.

It takes Pulumi most of a second, so whoever needs it begins it first and loads the client libraries meanwhile. The
engine is not started, and nothing is locked or written.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.config import paths
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

PATIENCE = 30.0  # seconds


class NotDeployed(DiveError):
    """There is no stack of this name."""


_begun: dict[str, "subprocess.Popen[str]"] = {}


def begin(stack: str, environment: Mapping[str, str]) -> None:
    """Begins an export that the next `Export` of this stack takes over."""
    with suppress(OSError):  # told when it is asked for
        _begun[stack] = _run(stack, environment)


def _run(stack: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["pulumi", "stack", "export", "--show-secrets", "-s", stack, "--non-interactive"],
        cwd=paths.STACKS,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Export:
    """An export of `stack` that has begun; `state()` waits for it."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self._running = _begun.pop(stack, None)
        if self._running:
            return
        with suppress(OSError):
            self._running = _run(stack, os.environ)

    def state(self, patience: float = PATIENCE) -> dict[str, Any]:
        """The exported state; raises `NotDeployed` or `PulumiFailed`, which never shows what it holds."""
        if self._running is None:
            raise PulumiFailed("pulumi is not on this machine", Remedy.run("./dive env"))
        try:
            out, err = self._running.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.communicate()
            raise PulumiFailed(f"`pulumi stack export -s {self.stack}` did not end within {patience:.0f} s") from None
        if self._running.returncode:
            if "no stack named" in err:
                raise NotDeployed(f"there is no stack {self.stack}", Remedy.deploy(self.stack.upper()))
            raise PulumiFailed(f"`pulumi stack export -s {self.stack}` failed: {' '.join(err.split())}")
        found = json.loads(out)
        assert isinstance(found, dict)
        return found


def exported(stack: str) -> dict[str, Any]:
    """The exported state of a stack, waited for."""
    return Export(stack).state()
