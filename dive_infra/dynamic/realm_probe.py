"""The probe before a realm: checks it before an update repairs it, so that preview and update plan the same.

The Keycloak provider knows no phases. When the checkpoint after the realm is diffed, an update has repaired the realm
and a preview has not. This probe decides for both. A realm that differs counts as changed in this run: the deployment
starts here, and the phase is proven again.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks import phases, runner
from dive_infra.checks.runner import CheckUnknown
from dive_infra.checks.spec import Unreadable, dump, load
from dive_infra.config import timeouts
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict


class RealmProbeProvider(Provider):
    replaces = ("realm",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["realm"], {}

    def drift_reason(self, before: Inputs) -> str | None:
        try:
            spec = load(Phase.CONFIGURATION, before["spec"])
        except Unreadable:
            return "was declared by another version of the program"
        validation = runner.run(phases.shallow_checks(spec), timeouts.DIFF_REALM, timeouts.DIFF_REALM_LATE)
        self.run.realm_findings[before["spec"]] = validation.findings
        off = [f for f in validation.findings if f.verdict == Verdict.INVALID and not f.advisory]
        if off:
            more = f", and {len(off) - 1} more" if off[1:] else ""
            return f"{off[0].headline}{more}"
        if validation.verdict == Verdict.UNKNOWN:
            raise CheckUnknown(next(f.found for f in validation.findings if f.verdict == Verdict.UNKNOWN))
        return None


class RealmProbe(Resource, module="dive", name="RealmProbe"):
    """`spec` is the `checks.spec.ConfigurationSpec` of the phase."""

    def __init__(
        self, name: str, realm: str, spec: pulumi.Input[Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        declared = pulumi.Output.from_input(spec)
        props: dict[str, Any] = {"realm": realm, "spec": pulumi.Output.secret(declared.apply(dump))}
        super().__init__(RealmProbeProvider(), name, props, opts)
