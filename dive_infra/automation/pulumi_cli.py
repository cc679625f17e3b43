"""How Pulumi is run for one stack: quietly to ask, or as a command line for others to run."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dive_infra.config import paths
from dive_infra.results.errors import DiveError

_TAKES_FILE = ("up", "preview", "refresh", "destroy")


class PulumiFailed(DiveError):
    """A command of Pulumi failed; the message is its own."""


@dataclass(frozen=True)
class Runner:
    """Runs Pulumi for the stack `name` of the program in `folder`.

    `file` is its `Pulumi.<name>.yaml` where that is not in `folder` but beside another copy of `Pulumi.yaml`;
    `variables` come to our own.
    """

    name: str
    folder: Path = paths.ROOT
    file: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(cls, stack: str) -> "Runner":
        """Of a stack of this coalition."""
        return cls(stack, file=None if paths.STACKS == paths.ROOT else paths.stack_file(stack))

    @property
    def country(self) -> str:
        return self.name.upper()

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.variables

    def command(self, *arguments: str) -> list[str]:
        """`pulumi` with the arguments, for this stack."""
        file = ["--config-file", str(self.file)] if self.file and arguments[0] in _TAKES_FILE else []
        return ["pulumi", *arguments, "-s", self.name, *file]

    def run(
        self, *arguments: str, given: str | None = None, patience: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command quietly, whatever comes of it; `given` is its standard input, `patience` in seconds."""
        # What takes no file finds it where it is run.
        place = self.file.parent if self.file and arguments[0] not in _TAKES_FILE else self.folder
        command = [*self.command(*arguments), "--non-interactive"]
        return subprocess.run(
            command, cwd=place, env=self.environment, input=given, capture_output=True, text=True, timeout=patience
        )

    def ask(self, *arguments: str, given: str | None = None, patience: float | None = None) -> str:
        """The standard output of a command; raises `PulumiFailed`, which shows no more of it than the arguments."""
        what = f"`pulumi {' '.join(arguments)} -s {self.name}`"
        try:
            done = self.run(*arguments, given=given, patience=patience)
        except subprocess.TimeoutExpired:
            raise PulumiFailed(f"{what} did not end within {patience:.0f} s") from None
        except OSError as error:
            raise PulumiFailed(f"{what}: {error}") from None
        if done.returncode:
            raise PulumiFailed(f"{what} failed: {' '.join(done.stderr.split())}")
        return done.stdout

    def state(self) -> dict[str, Any]:
        """The exported state, secrets in plain text."""
        found = json.loads(self.ask("stack", "export", "--show-secrets"))
        assert isinstance(found, dict)
        return found


def stacks() -> dict[str, int]:
    """The stacks of this coalition's backend, each with the number of its resources; raises `PulumiFailed`."""
    command = ["pulumi", "stack", "ls", "--json", "--non-interactive"]
    done = subprocess.run(command, cwd=paths.STACKS, capture_output=True, text=True)
    if done.returncode:
        raise PulumiFailed(f"`pulumi stack ls` failed: {done.stderr.strip()}")
    return {found["name"]: int(found.get("resourceCount") or 0) for found in json.loads(done.stdout)}
