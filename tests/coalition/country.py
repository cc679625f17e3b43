"""The coalition under test, with its own namespace, state and passphrase; others may share the engine."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

import yaml

from dive_infra.automation import enrolment
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings, load

# Another one where a second run of these tests shares the engine.
NAMESPACE = os.environ.get("DIVE_TEST_NAMESPACE", "divetest")


@dataclass(frozen=True)
class Run:
    """What one run of Pulumi did, from its events. `changes`: logical name -> operation, without `same`.

    `steps`: the same as in a plan, where the three steps of a replacement are one. `shown`: its whole output.
    """

    ok: bool
    changes: Mapping[str, str]
    messages: str
    seconds: float
    steps: frozenset[tuple[str, str]] = frozenset()
    shown: str = field(default="", repr=False)

    def changed(self, operation: str) -> set[str]:
        return {name for name, op in self.changes.items() if op == operation}


@dataclass
class Country:
    """One stack of the coalition under test."""

    code: str
    home: Path
    configuration: dict[str, Any] = field(default_factory=dict[str, Any])
    program: Path = ROOT  # another where a test edits it
    printed: list[str] = field(default_factory=list[str], repr=False)  # by every run
    secrets: set[str] = field(default_factory=set[str], repr=False)  # of stacks that were destroyed
    _answers: dict[tuple[str, ...], tuple[object, str]] = field(default_factory=dict[Any, Any], repr=False)

    @property
    def stack(self) -> str:
        return self.code.lower()

    @property
    def settings(self) -> Settings:
        return load(self.stack, self._all())

    @property
    def names(self) -> Names:
        return self.settings.names

    def _all(self) -> dict[str, Any]:
        always = {
            "dive:namespace": NAMESPACE,
            "dive:disposable": True,
            "dive:testUsers": True,
            "dive:verification": {"maxAge": 86400},
        }
        own = {"dive:spokes": ["FRA"]} if self.code == HUB_CODE else {}
        return {**always, **own, **self.configuration}

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PULUMI_BACKEND_URL": (self.home / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "only-for-tests",
            "PULUMI_CONFIG_PASSPHRASE_FILE": "",
            "DIVE_STACKS": str(self.home),
            # The other form of a preview's JSON has no value for a secret that is not known yet: it panics.
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
        }

    @property
    def _unjudged(self) -> dict[str, str]:
        """The environment of plain Pulumi, which starts no policy pack; `./dive` does, and test_1_policy shows it."""
        return self.environment | {"PULUMI_OPTION_POLICY_PACK": ""}

    @property
    def runner(self) -> Runner:
        """Run Pulumi for this country as `./dive up` does."""
        return Runner(self.stack, self.program, self.stack_file(), self.environment)

    def stack_file(self) -> Path:
        path = self.home / f"Pulumi.{self.stack}.yaml"
        kept = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
        written = ("dive:secrets", "dive:coalitionKey", "dive:authorities")  # by commands
        given = {k: v for k, v in (kept.get("config") or {}).items() if k in written}
        path.write_text(yaml.safe_dump({**kept, "config": {**self._all(), **given}}))
        return path

    def give(self, values: Mapping[str, str]) -> None:
        """Set secrets in the configuration, by name, instead of generated ones; later runs keep them."""
        command = ["pulumi", "config", "set-all", "-s", self.stack, "--config-file", str(self.stack_file()), "--path"]
        for name, value in values.items():
            command += ["--secret", f"dive:secrets.{name}={value}"]
        subprocess.run(command, cwd=self.home, env=self.environment, check=True)

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        # `pulumi stack` takes no configuration file, but finds it beside the project's.
        file = [] if arguments[0] == "stack" else ["--config-file", str(self.stack_file())]
        place = self.home if arguments[0] == "stack" else self.program
        command = ["pulumi", *arguments, "-s", self.stack, *file]
        done = subprocess.run(command, cwd=place, env=self._unjudged, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        return done

    @property
    def state_file(self) -> Path:
        return self.home / "state" / ".pulumi" / "stacks" / "dive" / f"{self.stack}.json"

    @property
    def known(self) -> bool:
        """Whether the stack was created already."""
        return self.state_file.exists()

    def state(self) -> dict[str, Any]:
        """Return the exported state, secrets in plain text."""
        found: dict[str, Any] = json.loads(self._ask("stack", "export", "--show-secrets"))
        return found

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets in plain text."""
        found: dict[str, Any] = json.loads(self._ask("stack", "output", "--json", "--show-secrets"))
        return found

    def _ask(self, *question: str) -> str:
        """Ask Pulumi about the state, once for each version of its file: each answer takes a second of a core."""
        found = self.state_file.stat()
        version = (str(self.state_file), found.st_mtime_ns, found.st_size)
        if self._answers.get(question, (None, ""))[0] != version:
            self._answers[question] = (version, self.pulumi(*question).stdout)
        return self._answers[question][1]

    def dive(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `./dive` on this coalition, without a terminal."""
        command = [sys.executable, "-m", "dive_infra.cli", *arguments]
        environment = self.environment | {"NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def create(self) -> None:
        """Create the stack in the folder of the test, not in the checkout."""
        (self.home / "state").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "Pulumi.yaml", self.home)
        self.stack_file()
        command = ["pulumi", "stack", "init", self.stack, "--no-select"]
        subprocess.run(command, cwd=self.home, env=self.environment, check=True, capture_output=True)

    def init(self) -> None:
        """Create the stack with its keys and its request."""
        self.create()
        enrolment.enrol(self.runner, self.home)

    def run(self, *command: str, **configuration: Any) -> Run:
        """Run `up`, `preview` or `destroy` and read its events; later runs keep `configuration`."""
        self.configuration |= {f"dive:{k}": v for k, v in configuration.items()}
        started = time.monotonic()
        flags = {"up": ["--yes", "--skip-preview"], "destroy": ["--yes", "--skip-preview"], "preview": []}[command[0]]
        done = self.pulumi(*command, *flags, "--json", check=False)
        self.printed += [done.stdout, done.stderr]
        return _read(done, time.monotonic() - started)

    def up(self, **configuration: Any) -> Run:
        return self.run("up", **configuration)

    def up_until(self, reached: Callable[[str], bool], signals: Sequence[Signals], **configuration: Any) -> Run:
        """Run `up`, and send the signals to Pulumi once the change of a resource starts whose name is `reached`."""
        self.configuration |= {f"dive:{k}": v for k, v in configuration.items()}
        started = time.monotonic()
        command = ["pulumi", "up", "--yes", "--skip-preview", "--json", "-s", self.stack]
        command += ["--config-file", str(self.stack_file())]
        lines: list[str] = []
        sent = False
        with subprocess.Popen(
            command, cwd=self.program, env=self._unjudged, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            assert running.stdout
            for line in running.stdout:
                lines.append(line)
                if not sent and any(reached(name) for name in begun(line)):
                    sent = True
                    for signal in signals:
                        running.send_signal(signal)
        assert sent, f"never got there: {''.join(lines)[-6000:]}"
        self.printed += lines
        done = subprocess.CompletedProcess(command, running.returncode, "".join(lines), "")
        return _read(done, time.monotonic() - started)

    def watch(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Run `up` and yield its events as they come, each with the seconds since the start. It must not fail."""
        command = ["pulumi", "up", "--yes", "--skip-preview", "--json", "-s", self.stack]
        command += ["--config-file", str(self.stack_file())]
        started = time.monotonic()
        with subprocess.Popen(
            command, cwd=self.program, env=self._unjudged, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            assert running.stdout
            for line in running.stdout:
                for event in _events(line):
                    yield time.monotonic() - started, event
        assert running.returncode == 0, f"{' '.join(command)}: exit code {running.returncode}"

    def resources(self) -> list[Any]:
        """Return what the state holds; nothing before the first deployment and after the country was destroyed."""
        found: list[Any] = self.state()["deployment"].get("resources") or []
        return found

    def preview(self, **configuration: Any) -> Run:
        return self.run("preview", **configuration)

    def destroy(self) -> Run:
        return self.run("destroy")


def _read(done: subprocess.CompletedProcess[str], seconds: float) -> Run:
    changes: dict[str, str] = {}
    steps: set[tuple[str, str]] = set()
    messages: list[str] = [done.stderr] if done.returncode else []
    for event in _events(done.stdout):
        step = event.get("resourcePreEvent", {}).get("metadata") or event
        if step.get("op", "same") not in ("same", "read", "refresh") and "urn" in step:
            changes.setdefault(name := step["urn"].rsplit("::", 1)[-1], step["op"])
            steps.add((name, "replace" if "replace" in step["op"] else step["op"]))
        told = event.get("diagnosticEvent")
        if told and told["severity"] != "debug":
            messages.append(told["message"])
    shown = done.stdout + done.stderr
    return Run(done.returncode == 0, changes, "".join(messages), seconds, frozenset(steps), shown)


def begun(line: str) -> list[str]:
    """Return the logical name of the resource whose change this event announces; none for other events."""
    step = (_events(line) or [{}])[0].get("resourcePreEvent", {}).get("metadata", {})
    return [step["urn"].rsplit("::", 1)[-1]] if step.get("op", "same") != "same" else []


def _events(text: str) -> list[dict[str, Any]]:
    """`up` and `destroy` print an event a line, `preview` one document with its steps and diagnostics."""
    if text.lstrip().startswith("{\n"):
        document = json.loads(text)
        told = [{"diagnosticEvent": d} for d in document.get("diagnostics") or []]
        return [*(document.get("steps") or []), *told]
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
