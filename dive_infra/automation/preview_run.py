"""Runs `pulumi preview` on whatever is there: the state of the stack, or none; and never writes.

Pulumi writes the salt of a passphrase into a stack file that has none, so it is given a copy. Where there is no state
to plan from, a throw-away one with a passphrase of its own takes its place: the plan of a first deployment.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from dive_infra.automation import workspace
from dive_infra.automation.drift import unseen
from dive_infra.config import environment, paths
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings, load
from dive_infra.config.timeouts import PREVIEW
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.engine import EngineError
from dive_infra.plans import events
from dive_infra.plans.plan import UpdatePlan
from dive_infra.toolchain.toolchain import Toolchain

_NOWHERE = "unix:///nowhere/docker.sock"


@dataclass(frozen=True)
class Source:
    """What a preview is made from: variables to run Pulumi with, and the exported state; without one it is fresh."""

    environment: Mapping[str, str]
    exported: Mapping[str, Any] | None = field(default=None, repr=False)  # secrets in plain text
    notes: tuple[str, ...] = ()

    @property
    def fresh(self) -> bool:
        return self.exported is None


def plan(settings: Settings, toolchain: Toolchain, from_state: bool) -> UpdatePlan:
    """The plan of one country; a preview that fails is one too, with its errors."""
    stack = settings.country.lower()
    with tempfile.TemporaryDirectory(prefix="dive-preview-") as place:
        source = _source(stack, _tools(toolchain, from_state), Path(place))
        arguments = _refresh(source, from_state)
        file = _stack_file(stack, Path(place), source)
        started = time.monotonic()
        done = _pulumi(source, "preview", "-s", stack, "--config-file", str(file), "--json", *arguments)
        seconds = time.monotonic() - started
    lines = done.stdout.splitlines()
    command = " ".join(["pulumi up -s", stack, *arguments])
    found = events.plan(lines, settings.country, command, source.fresh, done.returncode != 0, seconds)
    errors = [*found.errors, *_own_words(done, found), *unapproved(settings)]
    result = "failed" if errors else found.result
    notes = [*source.notes, *found.notes]
    return found.model_copy(update={"errors": errors, "result": result, "notes": notes})


def _tools(toolchain: Toolchain, from_state: bool) -> dict[str, str]:
    found = os.environ | workspace.tools(toolchain) | {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
    if from_state:
        return found | {"DOCKER_HOST": _NOWHERE}
    try:
        return found | {"DOCKER_HOST": engine.host()[0]}
    except EngineError:  # the looks say so, each phase in a line
        return found


def _source(stack: str, tools: Mapping[str, str], place: Path) -> Source:
    readable = workspace.reading()
    if readable is None:
        return _throw_away(stack, tools, place, "there is no state here")
    source = Source({**tools, **readable})
    listed = _pulumi(source, "stack", "ls", "--json")
    if listed.returncode:
        return _throw_away(stack, tools, place, f"the state can't be read: {_last(listed.stderr)}")
    if stack not in {s["name"] for s in json.loads(listed.stdout)}:
        return _throw_away(stack, tools, place, f"stack {stack} is not in this state")
    exported = _pulumi(source, "stack", "export", "-s", stack, "--show-secrets")
    if exported.returncode:
        return _throw_away(stack, tools, place, f"the state of {stack} can't be opened: {_last(exported.stderr)}")
    return replace(source, exported=json.loads(exported.stdout))


def _throw_away(stack: str, tools: Mapping[str, str], place: Path, why: str) -> Source:
    backend = place / "state"
    backend.mkdir()
    given = {
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(16),
        "PULUMI_CONFIG_PASSPHRASE_FILE": "",
        environment.ASSUME_GRANT: "yes",
    }
    notes = [why]
    if stack != HUB_CODE.lower():
        notes.append("what the hub grants is taken for unknown; an update asks for it")
    source = Source({**tools, **given}, notes=tuple(notes))
    home = place / "stack"
    home.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", home)
    made = _pulumi(source, "stack", "init", stack, "--no-select", place=home)
    return source if made.returncode == 0 else replace(source, notes=(*notes, _last(made.stderr)))


def _stack_file(stack: str, place: Path, source: Source) -> Path:
    """A copy of the country's stack file; what was encrypted for another state is left out of it."""
    path = place / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(paths.stack_file(stack).read_text()) or {}
    if source.fresh:
        content = {"config": {k: v for k, v in (content.get("config") or {}).items() if not _encrypted(v)}}
    path.write_text(yaml.safe_dump(content))
    return path


def _encrypted(value: Any) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def _refresh(source: Source, from_state: bool) -> list[str]:
    """As `./dive up`: with a refresh where only that sees what was changed by hand."""
    if source.exported is None or from_state:
        return []
    return ["--refresh"] if unseen(dict(source.exported)) else []


def unapproved(settings: Settings) -> list[str]:
    """A spoke that this checkout's hub does not approve would be refused by an update."""
    hub = paths.stack_file(HUB_CODE.lower())
    if settings.is_hub or settings.hub != Settings.model_fields["hub"].default or not hub.exists():
        return []
    configuration = (yaml.safe_load(hub.read_text()) or {}).get("config") or {}
    approved = load(HUB_CODE.lower(), {k: v for k, v in configuration.items() if k != "dive:secrets"}).spokes
    if settings.country in approved:
        return []
    return [f"{hub.name} does not approve {settings.country}; next: add {settings.country} to dive:spokes there"]


def _pulumi(source: Source, *arguments: str, place: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["pulumi", *arguments, "--non-interactive"]
    try:
        return subprocess.run(
            command, cwd=place, env=dict(source.environment), capture_output=True, text=True, timeout=PREVIEW
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"`{' '.join(command)}` did not end within {PREVIEW} s")


def _own_words(done: subprocess.CompletedProcess[str], found: UpdatePlan) -> list[str]:
    """Why Pulumi failed where no event tells it."""
    return [_last(done.stderr)] if done.returncode and not found.errors else []


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "no message"
