"""VERIFICATION: users log in at home and over the links, and the policy permits and denies as it should."""

import pulumi

from dive_infra.checks import spec
from dive_infra.components.values import secret
from dive_infra.dynamic.report import ReportFile
from dive_infra.dynamic.verification import VerificationCheckpoint as Proof
from dive_infra.phases.base import Context, PhaseComponent
from dive_infra.phases.deployment import DeploymentPhase
from dive_infra.phases.initialization import InitializationPhase


class VerificationPhase(PhaseComponent):
    """`proof.report` is what was proven. The hub proves itself; a spoke proves itself and its link, both ways."""

    def __init__(
        self,
        context: Context,
        after: PhaseComponent,
        base: InitializationPhase,
        deployed: DeploymentPhase,
        before: list[pulumi.Output[str]],
    ) -> None:
        super().__init__(context, "verification", after)
        names, settings, grant = context.names, context.settings, context.grant
        report = f"verification-report-{names.prefix}.json"
        own = base.secrets["test-users"].apply(lambda password: spec.Party(names, password))
        partners: list[pulumi.Output[spec.Party]] = []
        if grant:
            partners.append(grant.secrets["test-users"].apply(lambda password: spec.Party(context.hub, password)))
        self.proof = Proof(
            "verification-proof",
            names,
            secret(
                pulumi.Output.all(own=own, partners=partners, deployment=deployed.specification, ca=base.ca).apply(
                    lambda found: spec.VerificationSpec(
                        found["own"],
                        tuple(found["partners"]),
                        found["deployment"],
                        found["ca"],
                        settings.documents,
                        report=report,
                        max_age=settings.verification.max_age,
                    )
                )
            ),
            base.store,
            report,
            after=before,
            opts=self.child(),
        )
        self.checkpoint = self.proof
        self.report = ReportFile("report", report, self.proof.report, self.child())

    @property
    def end(self) -> pulumi.Resource:
        return self.report
