"""Asynchronous export of a stack's state, secrets in plain text.

An export takes Pulumi most of a second; a caller starts it first and loads the client libraries meanwhile. The export
takes no lock, writes nothing and does not start Pulumi's engine.
"""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.config import environment as variables
from dive_infra.config import json_file, paths
from dive_infra.config.json_file import BrokenFile
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy

TIMEOUT = 30.0  # seconds


class NotDeployed(DiveError):
    """The stack does not exist."""


_started: dict[str, "subprocess.Popen[str]"] = {}


def prefetch(stack: str, environment: Mapping[str, str]) -> None:
    """Start an export that the next `Export` of this stack takes over."""
    with suppress(OSError):  # `Export.state` reports it
        _started[stack] = _run(stack, environment)


def _run(stack: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["pulumi", "stack", "export", "--show-secrets", "-s", stack, "--non-interactive"],
        cwd=paths.STACKS,
        env=variables.counting(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Export:
    """A running export of `stack`; `state()` waits for it."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self._running = _started.pop(stack, None)
        if self._running:
            return
        with suppress(OSError):
            self._running = _run(stack, os.environ)

    def state(self, timeout: float = TIMEOUT) -> dict[str, Any]:
        """Return the exported state; raises `NotDeployed` or `PulumiFailed`, whose messages hold none of it."""
        if self._running is None:
            raise PulumiFailed("pulumi is not installed on this machine", Remedy.run("./dive env"))
        try:
            out, err = self._running.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.communicate()
            raise PulumiFailed(f"`pulumi stack export -s {self.stack}` did not end within {timeout:.0f} s") from None
        if self._running.returncode:
            if "no stack named" in err:
                raise NotDeployed(f"stack {self.stack} does not exist", Remedy.deploy(self.stack.upper()))
            raise PulumiFailed(f"`pulumi stack export -s {self.stack}` failed: {' '.join(err.split())}")
        try:
            return json_file.parse(out, f"the output of `pulumi stack export -s {self.stack}`")
        except BrokenFile as broken:
            raise PulumiFailed(broken.cause, expected=broken.expected) from None


def export_state(stack: str) -> dict[str, Any]:
    """Return the exported state of a stack."""
    return Export(stack).state()
