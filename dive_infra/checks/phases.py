"""Which checks prove which phase: one validator for the skip, for the proof and for `status`."""

from collections.abc import Callable
from typing import Any

from dive_infra.checks import configuration, deployment, initialization, preflight, seeding, verification
from dive_infra.checks.runner import Check
from dive_infra.orchestration.states import Phase

CHECKS: dict[Phase, Callable[[Any], list[Check]]] = {
    Phase.PREFLIGHT: preflight.checks,
    Phase.INITIALIZATION: initialization.checks,
    Phase.DEPLOYMENT: deployment.checks,
    Phase.CONFIGURATION: configuration.checks,
    Phase.SEEDING: seeding.checks,
    Phase.VERIFICATION: verification.checks,
}
