"""Enrol a country: create its keys in its encrypted stack file, and the request to join that is made of them.

The hub pins nothing: its own key signs the coalition document. A spoke's stack file names that key; where the hub's
stack file lies beside it, one person operates both, and it is entered here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from dive_infra.automation.pulumi_cli import PulumiFailed, Runner
from dive_infra.config import paths
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.credentials import enrolled
from dive_infra.config.settings import PROJECT, Settings, load
from dive_infra.crypto import pki
from dive_infra.membership import files, keys, request
from dive_infra.membership.enrolment import new_keys, private_keys, request_of
from dive_infra.membership.key_rotation import counting, newest
from dive_infra.membership.place import same
from dive_infra.membership.refusals import MembershipError, NotEnrolled, RequestDiffers
from dive_infra.membership.request import Request
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import now

_EXISTS = "already exists"
_PIN = f"{PROJECT}:coalitionKey"


@dataclass(frozen=True)
class Enrolled:
    """A country's request; `made` names what was created or changed: keys, the request, the pinned key."""

    request: Request
    made: tuple[str, ...]


def missing(runner: Runner, folder: Path | None = None) -> bool:
    """Return True if a country has no keys, no request, or pins no key although the hub's stack file is here.

    Reads files alone: each deployment asks.
    """
    folder = folder or paths.STACKS
    code = runner.country
    found = _configuration(_stack_file(runner, folder))
    known = found.get(f"{PROJECT}:secrets") or {}
    keyless = any(c.name not in known for c in enrolled(code == HUB_CODE))
    asked = files.request_file(code, folder).exists()
    pins = code == HUB_CODE or found.get(_PIN) or not _hub_file(folder).exists()
    # A request without keys was received: they are where that country is operated.
    return not asked if keyless else not pins or not asked


def enrol(runner: Runner, folder: Path | None = None) -> Enrolled:
    """Create what a country lacks, and renew its request if its settings have changed; `folder` has the stack files.

    Raises `PulumiFailed`, `SettingsError` for a setting that is refused, and `NotEnrolled` if the request here was made
    with keys that are elsewhere.
    """
    folder = folder or paths.STACKS
    made: list[str] = []
    _create_stack(runner)
    settings = read_settings(runner)
    lacking = [c for c in enrolled(settings.is_hub) if c.name not in settings.secrets]
    path = files.request_file(settings.country, folder)
    if path.exists() and len(lacking) == len(enrolled(settings.is_hub)):
        raise _received(settings.country)
    for name, value in new_keys(lacking).items():
        set_secret(runner, name, value)
        made.append(name)
    if lacking:
        settings = read_settings(runner)
    known = [] if settings.is_hub else _coalition_keys(runner, folder)
    if known and settings.coalition_key in ("", *known[:-1]):  # the one that is pinned may have a successor
        runner.ask("config", "set", _PIN, known[-1])
        made.append("coalitionKey")
    private = private_keys(settings)
    own = request_of(settings.names, newest(private), now())
    try:
        filed = request.read(path.read_bytes(), path.name)
    except (FileNotFoundError, MembershipError):
        return _renewed(path, own, private, made)
    if request.fingerprint(filed) != request.fingerprint(request_of(settings.names, counting(private, filed), now())):
        raise _received(settings.country)
    try:
        same(filed, own)
    except RequestDiffers:
        return _renewed(path, own, private, made)
    return Enrolled(filed, tuple(made))


def refuse_received(code: str) -> None:
    """Raise `NotEnrolled` if the request of a country is here and its stack file is not: it is operated elsewhere."""
    if files.request_file(code).exists() and not paths.stack_file(code.lower()).exists():
        raise _received(code)


def _received(code: str) -> NotEnrolled:
    name = f"members/{files.request_file(code).name}"
    return NotEnrolled(
        f"{name} is the request of {code}, whose keys are not here",
        Remedy.decide(
            "deploy it where it was made",
            f"give those keys up, and with them what partners know: rm {name}, then: ./dive new {code}",
        ),
    )


def _renewed(path: Path, own: Request, private: Mapping[str, str], made: Sequence[str]) -> Enrolled:
    files.write(path, request.sign(own, private["deployer-key"]))
    return Enrolled(own, (*made, f"members/{path.name}"))


def _create_stack(runner: Runner) -> None:
    done = runner.run("stack", "init", "--no-select")
    if done.returncode and _EXISTS not in done.stderr:
        raise PulumiFailed(f"`pulumi stack init -s {runner.name}` failed: {' '.join(done.stderr.split())}")


def set_secret(runner: Runner, name: str, value: str) -> None:
    """Set a secret through standard input: every user of the machine can read a command line."""
    runner.ask("config", "set", "--secret", "--path", f"{PROJECT}:secrets.{name}", stdin=value)


def read_settings(runner: Runner) -> Settings:
    """Return the settings of a stack file, its secrets included; raises `PulumiFailed` or `SettingsError`."""
    found = json.loads(runner.ask("config", "--show-secrets", "--json"))
    return load(runner.name, {key: one.get("value", one.get("objectValue")) for key, one in found.items()})


def _coalition_keys(runner: Runner, folder: Path) -> list[str]:
    """Return the public key of the coalition, two while it is being replaced; none without the hub's stack file."""
    hub = _hub_file(folder)
    if "coalition-key" not in (_configuration(hub).get(f"{PROJECT}:secrets") or {}):
        return []
    beside = replace(runner, name=HUB_CODE.lower(), file=hub if runner.file else None)
    held = private_keys(read_settings(beside))["coalition-key"]
    return [keys.public_text(key) for key in pki.private_keys(held)]


def _configuration(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}
    return dict(found.get("config") or {})


def _stack_file(runner: Runner, folder: Path) -> Path:
    return runner.file or folder / f"Pulumi.{runner.name}.yaml"


def _hub_file(folder: Path) -> Path:
    return folder / f"Pulumi.{HUB_CODE.lower()}.yaml"
