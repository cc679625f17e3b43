"""What was changed behind Pulumi's back and only a refresh can see: found by the validators of the finished phases."""

import json
from typing import Any

from dive_infra.checks import runner
from dive_infra.checks.phases import checks
from dive_infra.checks.spec import Spec, Unreadable, load
from dive_infra.findings import Finding
from dive_infra.orchestration.states import Phase

_GLANCE = 10.0  # seconds for one phase
_REFRESH = "--refresh"
# VERIFICATION would log people in; the update does that.
_LOOKED_AT = (Phase.INITIALIZATION, Phase.DEPLOYMENT, Phase.CONFIGURATION)


def declared(state: dict[str, Any]) -> dict[Phase, Spec]:
    """What each finished phase declared, from a stack's exported state with its secrets in plain text."""
    found: dict[Phase, Spec] = {}
    for resource in (state.get("deployment") or {}).get("resources") or []:
        if not resource["type"].endswith("dynamic/dive:Checkpoint"):
            continue
        phase = Phase(resource["outputs"]["phase"])
        try:
            found[phase] = load(phase, json.loads(resource["outputs"]["spec"]["plaintext"]))
        except Unreadable:
            continue  # of another program version: the update runs the phase again anyway
    return found


def unseen(state: dict[str, Any]) -> list[Finding]:
    """The invalid findings whose remedy is a refresh; empty when there are none, or when it cannot be told now."""
    specs = declared(state)
    looked = [runner.run(checks(specs[phase]), _GLANCE) for phase in _LOOKED_AT if phase in specs]
    return [f for validation in looked for f in validation.findings if _hidden(f)]


def _hidden(finding: Finding) -> bool:
    return finding.answer == "invalid" and not finding.advisory and _REFRESH in finding.remedy
