"""The time of the engine itself: the resources of a deployed country, without our providers."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dive_infra.config.paths import ROOT
from tests.coalition.country import Country

PROGRAM = Path(__file__).parent / "floor"
_PACK = "PULUMI_OPTION_POLICY_PACK"
_DYNAMIC, _FLOOR = "pulumi-python:dynamic/", "floor:dynamic/"


@dataclass(frozen=True)
class Floor:
    """A stack of the benchmark, with its own state; `resources`: how many it has."""

    home: Path
    environment: Mapping[str, str]
    resources: int

    def up(self) -> None:
        """Run an update that has nothing to do; raise if it changes something."""
        _pulumi(self, "up", "-s", "fra", "--yes", "--skip-preview", "--expect-no-changes")

    def preview(self) -> None:
        """Run a preview that has nothing to do, with the policy pack: every preview has it, and it is no provider."""
        pack = {k: v for k, v in os.environ.items() if k == _PACK}
        _pulumi(replace(self, environment={**self.environment, **pack}), "preview", "-s", "fra", "--expect-no-changes")


def providers(country: Country, home: Path) -> Floor:
    """Return a stack where our resources are components, and those of docker, keycloak and postgresql unchanged."""
    state = _state(country)
    rows = state["deployment"]["resources"]
    kept = [r if not r["custom"] or _of_engine(r) or not _ours(r) else _component(r) for r in rows]
    state["deployment"]["resources"] = [_versioned(row) for row in kept]
    floor = _floor(country, home, state)
    _pulumi(floor, "stack", "import", "-s", "fra", "--file", floor.environment["FLOOR_STATE"])
    # A preview changes nothing, and shows whether an update would.
    floor.preview()
    floor.up()
    return floor


def components(country: Country, home: Path) -> Floor:
    """Return a stack of components alone: no provider is started."""
    state = _state(country)
    rows = [row for row in state["deployment"]["resources"] if not _default(row)]
    state["deployment"]["resources"] = [
        row if row["type"] == "pulumi:pulumi:Stack" else _component(row) for row in rows
    ]
    floor = _floor(country, home, state)
    _pulumi(floor, "up", "-s", "fra", "--yes", "--skip-preview")
    return floor


def _state(country: Country) -> Any:
    """Return the country's state without what is only read, and what only decides how a resource is replaced."""
    text = country.pulumi("stack", "export", "--show-secrets").stdout
    state = json.loads(text.replace(_DYNAMIC, _FLOOR))  # under their own types the policy pack would ask what they hold
    rows = [row for row in state["deployment"]["resources"] if row["type"] != "pulumi:pulumi:StackReference"]
    there = {row["urn"] for row in rows}
    for row in rows:
        row["dependencies"] = [urn for urn in row.get("dependencies") or [] if urn in there]
        row.pop("propertyDependencies", None)
        row.pop("replacementTrigger", None)
    state["deployment"]["resources"] = rows
    return state


def _floor(country: Country, home: Path, state: Any) -> Floor:
    shutil.copytree(PROGRAM, home)
    (home / "policy").symlink_to(ROOT / "policy")  # where its Pulumi.yaml looks for what runs the pack
    (home / "state").mkdir()
    file = home / "floor.json"
    file.touch(0o600)  # it holds secrets in plain text, as long as the benchmark runs
    file.write_text(json.dumps(state))
    # Without the rules of the policy pack, which are ours too.
    given = {"PULUMI_BACKEND_URL": (home / "state").as_uri(), "FLOOR_STATE": str(file), _PACK: ""}
    count = sum(not _default(row) for row in state["deployment"]["resources"])
    floor = Floor(home, country.environment | given, count)
    _pulumi(floor, "stack", "init", "fra", "--no-select")
    return floor


def _of_engine(row: Mapping[str, Any]) -> bool:
    return bool(row["type"] == "pulumi:pulumi:Stack" or _default(row))


def _default(row: Mapping[str, Any]) -> bool:
    return str(row["urn"].rpartition("::")[2]).startswith("default")


def _ours(row: Mapping[str, Any]) -> bool:
    return str(row["type"]).startswith(_FLOOR)


def _versioned(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the version of its provider, as the provider's package gives it."""
    maker = row.get("provider", "").split("::")[-2:-1]
    if maker and "default_" in maker[0]:
        return row | {"version": maker[0].removeprefix("default_").replace("_", ".")}
    if row["type"].startswith("pulumi:providers:"):
        return row | {"version": (row.get("inputs") or {}).get("version")}
    return row


def _component(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: row[k] for k in ("urn", "type", "parent", "dependencies") if k in row}
    return kept | {"type": row["type"].replace("pulumi:providers:", "floor:providers:"), "custom": False}


def _pulumi(floor: Floor, *arguments: str) -> None:
    done = subprocess.run(["pulumi", *arguments], cwd=floor.home, env=floor.environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pulumi {' '.join(arguments)} in {floor.home}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
