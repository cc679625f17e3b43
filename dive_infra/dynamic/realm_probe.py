"""The probe before a realm: checks it before an update repairs it, so that preview and update plan the same.

The Keycloak provider knows no phases. When the checkpoint after the realm is diffed, an update has repaired the realm
and a preview has not. This probe decides for both. A realm that differs counts as changed in this run: the deployment
starts here, and the phase is proven again.

It also counts how often a key provider was missing, and keeps that in the state before the run creates it again: a run
that continues after a killed one still knows whose keys are new by our own doing (`realm_keys`).
"""

from contextlib import suppress
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult, Resource

from dive_infra.checks import phases, runner
from dive_infra.checks.runner import CheckUnknown
from dive_infra.checks.spec import ConfigurationSpec, Spec, Unreadable, dump, load
from dive_infra.config import timeouts
from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.identity import key_providers
from dive_infra.identity.comparison import live
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin, KeycloakError
from dive_infra.orchestration.states import Phase
from dive_infra.results.finding import Verdict


class RealmProbeProvider(Provider):
    """Outputs: `incarnations`, as in `runtime.context.RunContext`."""

    replaces = ("realm",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        return inputs["realm"], {"incarnations": {}}

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        return {"incarnations": {**before.get("incarnations", {}), **self.run.key_incarnations}}

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        self.run.key_incarnations.update({p: int(n) for p, n in _olds.get("incarnations", {}).items()})
        if self.changed_inputs(_olds, _news):  # is change enough, so that nothing else looks at the realm
            with suppress(Unreadable, KeycloakError):
                self._count(load(Phase.CONFIGURATION, _olds["spec"]))
        return super().diff(_id, _olds, _news)

    def drift_reason(self, before: Inputs) -> str | None:
        try:
            spec = load(Phase.CONFIGURATION, before["spec"])
        except Unreadable:
            return "was declared by another version of the program"
        validation = runner.run(phases.shallow_checks(spec), timeouts.DIFF_REALM, timeouts.DIFF_REALM_LATE)
        self.run.realm_findings[before["realm"]] = validation.findings
        if validation.verdict != Verdict.UNKNOWN:
            self._count(spec)
        off = [f for f in validation.findings if f.verdict == Verdict.INVALID and not f.advisory]
        if off:
            more = f", and {len(off) - 1} more" if off[1:] else ""
            return f"{off[0].headline}{more}"
        if validation.verdict == Verdict.UNKNOWN:
            raise CheckUnknown(next(f.found for f in validation.findings if f.verdict == Verdict.UNKNOWN))
        return None

    def _count(self, spec: Spec) -> None:
        """Count each key provider that is missing now; raises `KeycloakError`."""
        assert isinstance(spec, ConfigurationSpec)
        access = KeycloakAccess.of(spec.names, spec.ca, spec.keycloak)
        with KeycloakAdmin(access, timeouts.REALM_REQUEST) as admin:
            for gone in key_providers.missing(live(admin, spec.names), spec.names):
                self.run.key_incarnations[gone] = self.run.key_incarnations.get(gone, 0) + 1


class RealmProbe(Resource, module="dive", name="RealmProbe"):
    """`spec` is the `checks.spec.ConfigurationSpec` of the phase."""

    def __init__(
        self, name: str, realm: str, spec: pulumi.Input[Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        declared = pulumi.Output.from_input(spec)
        props: dict[str, Any] = {"realm": realm, "spec": pulumi.Output.secret(declared.apply(dump))}
        super().__init__(RealmProbeProvider(), name, props, opts)
