"""Registers what an exported state holds, unchanged: what a run costs before a line of ours is run.

`$FLOOR_STATE` is the state; what is no component in it is made by the provider that it names.
"""

import json
import os
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker
import pulumi_keycloak
import pulumi_postgresql

# Loaded by every program that declares their resources.
PACKAGES = (pulumi_docker, pulumi_keycloak, pulumi_postgresql)


def value(stored: Any) -> Any:
    """A value as a program would give it."""
    if isinstance(stored, dict) and "plaintext" in stored:
        return pulumi.Output.secret(json.loads(stored["plaintext"]))
    if isinstance(stored, dict):
        return {k: value(v) for k, v in stored.items() if k not in ("__defaults", "version")}
    return [value(v) for v in stored] if isinstance(stored, list) else stored


made: dict[str, pulumi.Resource] = {}


def register(kind: str, name: str, custom: bool, row: dict[str, Any]) -> pulumi.Resource:
    by = made.get(row.get("provider", "").rpartition("::")[0])
    options = pulumi.ResourceOptions(
        parent=made.get(row.get("parent", "")),
        depends_on=[made[urn] for urn in row.get("dependencies", []) if urn in made],
        version=row.get("version"),
        provider=by if isinstance(by, pulumi.ProviderResource) else None,
    )
    if not custom:
        component = pulumi.ComponentResource(kind, name, None, options)
        component.register_outputs({})
        return component
    inputs = value(row["inputs"])
    if kind.startswith("pulumi:providers:"):
        return pulumi.ProviderResource(kind.rpartition(":")[2], name, inputs, options)
    return pulumi.CustomResource(kind, name, inputs, options)


for row in json.loads(Path(os.environ["FLOOR_STATE"]).read_text())["deployment"]["resources"]:
    name = row["urn"].rpartition("::")[2]
    if row["type"] != "pulumi:pulumi:Stack" and not name.startswith("default"):  # those the engine makes itself
        made[row["urn"]] = register(row["type"], name, row["custom"], row)
