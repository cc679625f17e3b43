"""Stands before a realm and asks whether it is as declared, before anything in it is changed.

Keycloak's objects are changed by a provider that knows nothing of phases. When the checkpoint behind them is asked, an
update has mended them already, a preview has not: so what is announced is decided here, by one look for both. A realm
that is off counts as changed in this run: the deployment begins with it, and the phase is proven anew.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks import phases, runner
from dive_infra.checks.runner import CheckUnknown
from dive_infra.checks.spec import Unreadable, dump, load
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict

GLANCE = 5.0  # seconds for the look of a diff: a hundred objects, on a busy machine


class RealmProbeProvider(Provider):
    replaces = ("realm",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["realm"], {}

    def drift_reason(self, before: Inputs) -> str | None:
        try:
            spec = load(Phase.CONFIGURATION, before["spec"])
        except Unreadable:
            return "was declared by another program"
        looked = runner.run(phases.quick(spec), GLANCE)
        self.run.realm_findings[before["spec"]] = looked.findings
        off = [f for f in looked.findings if f.verdict == Verdict.INVALID and not f.advisory]
        if off:
            more = f", and {len(off) - 1} more" if off[1:] else ""
            return f"{off[0].check}: found {off[0].found}{more}"
        if looked.verdict == Verdict.UNKNOWN:
            raise CheckUnknown(next(f.found for f in looked.findings if f.verdict == Verdict.UNKNOWN))
        return None


class RealmProbe(Resource, module="dive", name="RealmProbe"):
    """`spec` is the `checks.spec.Configuration` that the phase ends with."""

    def __init__(
        self, name: str, realm: str, spec: pulumi.Input[Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        declared = pulumi.Output.from_input(spec)
        props: dict[str, Any] = {"realm": realm, "spec": pulumi.Output.secret(declared.apply(dump))}
        super().__init__(RealmProbeProvider(), name, props, opts)
