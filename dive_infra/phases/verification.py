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
    """`proof.report` is what was proven: the country itself, and each of its links, both ways."""

    def __init__(
        self,
        context: Context,
        after: PhaseComponent,
        base: InitializationPhase,
        deployed: DeploymentPhase,
        before: list[pulumi.Output[str]],
    ) -> None:
        super().__init__(context, "verification", after)
        names, settings = context.names, context.settings
        report = f"verification-report-{names.prefix}.json"
        partners = tuple(spec.PartnerSpec(p.names, p.deployer_key) for p in context.place.partners)
        secrets = {"own": base.probes[names.country.code]}
        secrets |= {name: base.secrets[name] for name in ("sealing-key", "deployer-key")}
        issuer = base.issuer if base.rotating else ""
        self.proof = Proof(
            "verification-proof",
            names,
            secret(
                pulumi.Output.all(secrets=secrets, deployment=deployed.specification, ca=base.ca, issuer=issuer).apply(
                    lambda found: spec.VerificationSpec(
                        spec.Party(names, found["secrets"]["own"]),
                        partners,
                        found["deployment"],
                        found["ca"],
                        settings.documents,
                        report=report,
                        max_age=settings.verification.max_age,
                        sealing_key=found["secrets"]["sealing-key"],
                        deployer_key=found["secrets"]["deployer-key"],
                        issuer=found["issuer"],
                        pinned=context.place.pinned,
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
