"""Events of Pulumi, for tests of what is made of them."""

import json
from typing import Any

from dive_infra.plans.events import plan
from dive_infra.plans.plan import UpdatePlan

URN = "urn:pulumi:fra::dive::dive:phases:{phase}$dive:components:Service${kind}::{name}"


def step(
    op: str, name: str, kind: str, phase: str = "Deployment", before: Any = None, after: Any = None, **more: Any
) -> str:
    """One event of the engine."""
    urn = URN.format(phase=phase, kind=kind, name=name)

    def state(inputs: Any) -> dict[str, Any]:
        return {"urn": urn, "custom": True, "id": f"id-of-{name}", "parent": "the service", "inputs": inputs}

    old, new = state(before or {}) if op != "create" else None, state(after or {}) if op != "delete" else None
    return json.dumps({"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "old": old, "new": new, **more}}})


def said(message: str, severity: str = "info", urn: str = "") -> str:
    return json.dumps({"diagnosticEvent": {"message": f"{message}\n", "severity": severity, "urn": urn}})


def planned(*lines: str, fresh: bool = False, failed: bool = False) -> UpdatePlan:
    return plan(lines, "FRA", "pulumi up -s fra", fresh, failed, 1.0)


GATE, CONTAINER = "pulumi-python:dynamic/dive:Gate", "docker:index/container:Container"
VOLUME = "pulumi-python:dynamic/dive:DataVolume"
