"""Running Pulumi from the command: in full view to deploy, quietly to ask."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dive_infra.cli.steps import fail
from dive_infra.machine.state import ROOT

_TAKES_FILE = ("up", "preview", "refresh", "destroy")


@dataclass(frozen=True)
class Stack:
    """One stack of the program in `folder`, and how Pulumi is run for it.

    `file` is its `Pulumi.<name>.yaml` where that is not in `folder` but beside another copy of `Pulumi.yaml`;
    `variables` come to our own.
    """

    name: str
    folder: Path = ROOT
    file: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def command(self, *arguments: str) -> list[str]:
        """`pulumi` with the arguments, for this stack."""
        file = ["--config-file", str(self.file)] if self.file and arguments[0] in _TAKES_FILE else []
        return ["pulumi", *arguments, "-s", self.name, *file]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command quietly, whatever comes of it."""
        # What takes no file finds it where it is run.
        place = self.file.parent if self.file and arguments[0] not in _TAKES_FILE else self.folder
        command = [*self.command(*arguments), "--non-interactive"]
        return subprocess.run(command, cwd=place, env=self.environment, capture_output=True, text=True)

    def ask(self, *arguments: str) -> str:
        """The standard output of a command; a failing one ends ours with its message."""
        done = self.run(*arguments)
        if done.returncode:
            fail(f"`pulumi {' '.join(arguments)} -s {self.name}` failed: {done.stderr.strip()}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.variables

    def state(self) -> dict[str, Any]:
        """The exported state, secrets in plain text."""
        return _table(self.ask("stack", "export", "--show-secrets"))

    def outputs(self) -> dict[str, Any]:
        return _table(self.ask("stack", "output", "--json"))


def _table(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def in_view(stack: Stack, *arguments: str, **variables: str) -> tuple[int, bool]:
    """Runs a command of the stack in full view; its exit code, and whether we were asked to stop it.

    The terminal gives Ctrl+C to Pulumi too, which then finishes what it has begun (at once, at the second one): it must
    not be killed before. SIGTERM comes to us alone, and is passed on.
    """
    return _to_its_end(stack.command(*arguments), stack.folder, stack.environment | variables)


def _to_its_end(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, bool]:
    with subprocess.Popen(command, cwd=folder, env=environment) as running, _passed_on(running) as asked:
        while True:
            try:
                return running.wait(), bool(asked)
            except KeyboardInterrupt:
                asked.append(signal.SIGINT)


@contextmanager
def _passed_on(running: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """The signals that asked to stop; SIGTERM is passed on to the process."""
    asked: list[int] = []

    def passed(number: int, _frame: object) -> None:
        asked.append(number)
        running.send_signal(number)

    before = signal.signal(signal.SIGTERM, passed)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
