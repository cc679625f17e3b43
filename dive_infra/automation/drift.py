"""Drift that only a refresh sees, such as a manual change: found by the validators of the completed phases."""

from typing import Any

from dive_infra.automation.stack_state import declared_specs
from dive_infra.checks import runner
from dive_infra.checks.phases import checks
from dive_infra.config.timeouts import DRIFT_CHECK
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import RemedyKind

# Without VERIFICATION: its logins are left to the update.
_CHECKED = (Phase.INITIALIZATION, Phase.DEPLOYMENT, Phase.CONFIGURATION)


def refresh_only_drift(state: dict[str, Any]) -> list[Finding]:
    """Return the invalid findings whose remedy is a refresh; empty as well if the checks get no answer."""
    specs = declared_specs(state)
    validations = [runner.run(checks(specs[phase]), DRIFT_CHECK) for phase in _CHECKED if phase in specs]
    return [f for validation in validations for f in validation.findings if _needs_refresh(f)]


def _needs_refresh(finding: Finding) -> bool:
    return finding.verdict == Verdict.INVALID and not finding.advisory and finding.remedy.kind == RemedyKind.REFRESH
