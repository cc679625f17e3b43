"""What was changed behind Pulumi's back and only a refresh can see: found by the validators of the finished phases."""

from typing import Any

from dive_infra.automation.stack_state import declared_specs
from dive_infra.checks import runner
from dive_infra.checks.phases import checks
from dive_infra.config.timeouts import DRIFT_CHECK
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import RemedyKind

# VERIFICATION would log people in; the update does that.
_LOOKED_AT = (Phase.INITIALIZATION, Phase.DEPLOYMENT, Phase.CONFIGURATION)


def refresh_only_drift(state: dict[str, Any]) -> list[Finding]:
    """The invalid findings whose remedy is a refresh; empty when there are none, or when it cannot be told now."""
    specs = declared_specs(state)
    looked = [runner.run(checks(specs[phase]), DRIFT_CHECK) for phase in _LOOKED_AT if phase in specs]
    return [f for validation in looked for f in validation.findings if _hidden(f)]


def _hidden(finding: Finding) -> bool:
    return finding.verdict == Verdict.INVALID and not finding.advisory and finding.remedy.kind == RemedyKind.REFRESH
