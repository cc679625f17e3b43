"""Wrapper of the `pulumi` CLI for one stack: run a command with captured output, or build a command line."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dive_infra.config import environment, paths
from dive_infra.results.errors import DiveError

_TAKES_FILE = ("up", "preview", "refresh", "destroy")


class PulumiFailed(DiveError):
    """A command of Pulumi failed; the message is Pulumi's."""


@dataclass(frozen=True)
class Runner:
    """Runs Pulumi for the stack `name` of the program in `folder`.

    `file` is the stack file if it lies outside `folder`, beside another copy of `Pulumi.yaml`. `variables` are added to
    what counts of this process's environment.
    """

    name: str
    folder: Path = paths.ROOT
    file: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(cls, stack: str) -> "Runner":
        """Return the runner of a stack of this coalition."""
        return cls(stack, file=None if paths.STACKS == paths.ROOT else paths.stack_file(stack))

    @property
    def country(self) -> str:
        return self.name.upper()

    @property
    def environment(self) -> dict[str, str]:
        return {**environment.counting(os.environ), **self.variables}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `pulumi` with these arguments for this stack."""
        file = ["--config-file", str(self.file)] if self.file and arguments[0] in _TAKES_FILE else []
        return ["pulumi", *arguments, "-s", self.name, *file]

    def run(
        self, *arguments: str, stdin: str | None = None, timeout: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command with captured output; any exit code is returned; `timeout` in seconds."""
        # A command without the option finds the file in its working directory.
        directory = self.file.parent if self.file and arguments[0] not in _TAKES_FILE else self.folder
        command = [*self.command(*arguments), "--non-interactive"]
        return subprocess.run(
            command, cwd=directory, env=self.environment, input=stdin, capture_output=True, text=True, timeout=timeout
        )

    def ask(self, *arguments: str, stdin: str | None = None, timeout: float | None = None) -> str:
        """Return the standard output of a command; raises `PulumiFailed`, which shows the arguments, not the input."""
        what = f"`pulumi {' '.join(arguments)} -s {self.name}`"
        try:
            done = self.run(*arguments, stdin=stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise PulumiFailed(f"{what} did not end within {timeout:.0f} s") from None
        except OSError as error:
            raise PulumiFailed(f"{what}: {error}") from None
        if done.returncode:
            raise PulumiFailed(f"{what} failed: {' '.join(done.stderr.split())}")
        return done.stdout

    def state(self) -> dict[str, Any]:
        """Return the exported state, secrets in plain text."""
        found = json.loads(self.ask("stack", "export", "--show-secrets"))
        assert isinstance(found, dict)
        return found


def resource_counts() -> dict[str, int]:
    """Return stack name -> number of resources for this coalition's backend; raises `PulumiFailed`."""
    command = ["pulumi", "stack", "ls", "--json", "--non-interactive"]
    variables = environment.counting(os.environ)
    done = subprocess.run(command, cwd=paths.STACKS, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise PulumiFailed(f"`pulumi stack ls` failed: {done.stderr.strip()}")
    return {found["name"]: int(found.get("resourceCount") or 0) for found in json.loads(done.stdout)}
