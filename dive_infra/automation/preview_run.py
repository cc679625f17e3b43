"""Run `pulumi preview` with or without an existing state, and write nothing.

Pulumi writes the salt of a passphrase into a stack file without one; it gets a copy. Without a readable state, a
temporary one with its own passphrase takes its place: the plan of a first deployment.
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

from dive_infra import engines
from dive_infra.automation import workspace
from dive_infra.automation.drift import refresh_only_drift
from dive_infra.automation.stack_config import read_settings
from dive_infra.automation.state_providers import ForeignProviders, refuse_foreign
from dive_infra.config import environment, paths
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings
from dive_infra.config.timeouts import PREVIEW
from dive_infra.engines.engine import EngineError
from dive_infra.plans import events
from dive_infra.plans.plan import UpdatePlan
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import Remedy
from dive_infra.toolchain.toolchain import Toolchain

_NOWHERE = "unix:///nowhere/docker.sock"


@dataclass(frozen=True)
class PreviewSource:
    """Input of a preview: the variables to run Pulumi with, and the exported state; without a state it is `fresh`."""

    environment: Mapping[str, str]
    exported: Mapping[str, Any] | None = field(default=None, repr=False)  # secrets in plain text
    notes: tuple[str, ...] = ()

    @property
    def fresh(self) -> bool:
        return self.exported is None


def plan(settings: Settings, toolchain: Toolchain, from_state: bool) -> UpdatePlan:
    """Return the plan of one country; a failed preview is a plan with errors."""
    stack = settings.country.lower()
    with tempfile.TemporaryDirectory(prefix="dive-preview-") as folder:
        source = _source(stack, _tools(toolchain, from_state), Path(folder))
        try:
            refuse_foreign(stack, source.exported or {})
        except ForeignProviders as refusal:
            refused = events.plan([], settings.country, f"pulumi up -s {stack}", source.fresh, True, 0)
            return refused.model_copy(update={"errors": [str(refusal)]})
        arguments = _refresh(source, from_state)
        file = _stack_file(stack, Path(folder), source)
        started = time.monotonic()
        done = _pulumi(source, "preview", "-s", stack, "--config-file", str(file), "--json", *arguments)
        seconds = time.monotonic() - started
    lines = done.stdout.splitlines()
    command = " ".join(["pulumi up -s", stack, *arguments])
    found = events.plan(lines, settings.country, command, source.fresh, done.returncode != 0, seconds)
    errors = [*found.errors, *_message(done, found), *approval_errors(settings)]
    result = "failed" if errors else found.result
    notes = [*source.notes, *found.notes]
    return found.model_copy(update={"errors": errors, "result": result, "notes": notes})


def _tools(toolchain: Toolchain, from_state: bool) -> dict[str, str]:
    found = (
        environment.counting(os.environ) | workspace.tools(toolchain) | {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
    )
    if from_state:
        return found | {"DOCKER_HOST": _NOWHERE, environment.NO_ENGINE: "yes"}
    try:
        return found | dict(engines.current().variables)
    except EngineError:  # each phase's checks report it in a line
        return found


def _source(stack: str, tools: Mapping[str, str], folder: Path) -> PreviewSource:
    readable = workspace.reading()
    if readable is None:
        return _temporary(stack, tools, folder, "this machine has no state")
    source = PreviewSource({**tools, **readable})
    listed = _pulumi(source, "stack", "ls", "--json")
    if listed.returncode:
        return _temporary(stack, tools, folder, f"the state cannot be read: {_last(listed.stderr)}")
    if stack not in {s["name"] for s in json.loads(listed.stdout)}:
        return _temporary(stack, tools, folder, f"stack {stack} is not in this state")
    exported = _pulumi(source, "stack", "export", "-s", stack, "--show-secrets")
    if exported.returncode:
        return _temporary(stack, tools, folder, f"the state of {stack} cannot be opened: {_last(exported.stderr)}")
    return replace(source, exported=json.loads(exported.stdout))


def _temporary(stack: str, tools: Mapping[str, str], folder: Path, why: str) -> PreviewSource:
    backend = folder / "state"
    backend.mkdir()
    given = {
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(16),
        "PULUMI_CONFIG_PASSPHRASE_FILE": "",
        environment.ASSUME_PLACE: "yes",
    }
    notes = (why, "the keys of the country and where its partners are is assumed; an update reads it")
    source = PreviewSource({**tools, **given}, notes=notes)
    home = folder / "stack"
    home.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", home)
    created = _pulumi(source, "stack", "init", stack, "--no-select", folder=home)
    return source if created.returncode == 0 else replace(source, notes=(*notes, _last(created.stderr)))


def _stack_file(stack: str, folder: Path, source: PreviewSource) -> Path:
    """Write a copy of the country's stack file; values encrypted for another state are left out."""
    path = folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(paths.stack_file(stack).read_text()) or {}
    if source.fresh:
        content = {"config": {k: v for k, v in (content.get("config") or {}).items() if not _encrypted(v)}}
    path.write_text(yaml.safe_dump(content))
    return path


def _encrypted(value: Any) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def _refresh(source: PreviewSource, from_state: bool) -> list[str]:
    """Return `--refresh` under the same condition as `./dive up`: only a refresh sees a manual change."""
    if source.exported is None or from_state:
        return []
    return ["--refresh"] if refresh_only_drift(dict(source.exported)) else []


def approval_errors(settings: Settings) -> list[str]:
    """Return an error for a spoke that this checkout's hub does not approve: an update would refuse it."""
    hub = paths.stack_file(HUB_CODE.lower())
    if settings.is_hub or not hub.exists():
        return []
    if settings.country in read_settings(HUB_CODE).spokes:
        return []
    remedy = Remedy.decide(f"add {settings.country} to dive:spokes there")
    return [str(DiveError(f"{hub.name} does not approve {settings.country}", remedy))]


def _pulumi(source: PreviewSource, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["pulumi", *arguments, "--non-interactive"]
    try:
        return subprocess.run(
            command, cwd=folder, env=dict(source.environment), capture_output=True, text=True, timeout=PREVIEW
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"`{' '.join(command)}` did not end within {PREVIEW} s")


def _message(done: subprocess.CompletedProcess[str], found: UpdatePlan) -> list[str]:
    """Return why Pulumi failed if no event says so."""
    return [_last(done.stderr)] if done.returncode and not found.errors else []


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "no message"
