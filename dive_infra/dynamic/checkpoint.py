"""Ends a phase: proven by the phase's validator, recorded in the orchestration database, asked again in every diff.

A checkpoint is skipped when the record says COMPLETED for the same declaration and the validator passes now. It is made
again, and says why, when either does not hold. When that cannot be told (the database, the engine or a service does not
answer), it is kept, and says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult, Resource

from dive_infra.checks import phases, runner
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import Spec, Unreadable, dump, fingerprint, load, phase_of
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError, tell
from dive_infra.dynamic.orchestration import access_of, plain
from dive_infra.orchestration.access import LoginRefused, OlderSchema, RecordError, Unreachable
from dive_infra.orchestration.records import Proof, this_run
from dive_infra.orchestration.states import Phase, Status
from dive_infra.orchestration.store import Store, session
from dive_infra.plans import provider_messages
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict, listing, overall
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import age, ago, first_line

GLANCE = 2.0  # seconds for the look of a diff: the engine asks one resource after the other, in previews too
SECOND_GLANCE = 8.0  # seconds for a second one, where checks were late: a busy machine is no reason to prove nothing
PATIENCE = 60.0  # seconds for the proof of a phase; what could not be told is asked again within them
DUE = "age"  # topic of the check whether it is time to prove again; that it is says of nothing that it is wrong
_CAUSES = 2  # shown in one line; a third is counted
IMPATIENCE = 5.0  # the same for PREFLIGHT: what is not there before anything was started does not come by waiting
_RECORDS = Remedy.update(detail="proves and records it anew")


class CheckpointProvider(Provider):
    deploys = False  # it locks and records by itself
    replaces = ("country", "phase")
    ignores = ("earlier",)  # recorded with this phase once; whether they are is asked of the record

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        phase, country = Phase(inputs["phase"]), inputs["country"]
        store = self.store(inputs)
        self.run.deployment.pass_checkpoint(country, phase, store.access if store else None)
        if store:
            store.hold(country, phase)
        spec = load(phase, inputs["spec"])
        validation = self.prove(spec)
        proof = Proof(
            phase,
            fingerprint(spec),
            validation.evidence,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            round(validation.seconds, 3),
            this_run().id,
            {"why": self.run.deployment.reason(phase)},
        )
        self.proven(inputs, spec, validation)
        if validation.verdict != Verdict.VALID:
            off = listing(validation.findings, Verdict.INVALID, Verdict.UNKNOWN)
            if store:
                wrong = [f for f in validation.findings if f.verdict != Verdict.VALID and not f.advisory]
                wrong.sort(key=lambda f: f.verdict != Verdict.INVALID)
                codes = [f.code for f in wrong if f.verdict == Verdict.INVALID and f.code]
                cause = wrong[0].statement if wrong else ""
                store.fail(country, phase, proof.fingerprint, off, codes[0] if codes else None, cause)
            raise ProviderError(f"{phase} of {country} is not valid, so it is not completed:\n{off}")
        if store:
            store.complete(country, *_unrecorded(store, inputs), proof)
            store.measure(country, "validation", validation.seconds, "s", phase=phase)
            self.recorded(store, inputs, spec, validation)
        outputs = {
            "evidence": proof.evidence,
            "completed": proof.proven_at,
            "recorded": store is not None,
            "proof": {**proof.plain(), "recorded": store is not None},
        }
        return f"{country.lower()}/{phase}", outputs

    def store(self, inputs: Inputs) -> Store | None:
        """The record; None where the hub makes its first phases, before the database that records them exists."""
        if not inputs.get("store"):
            return None
        try:
            return session(access_of(inputs["store"]))
        except (Unreachable, LoginRefused, OlderSchema) as error:
            if inputs["bootstrap"]:
                return None
            raise ProviderError(
                f"{inputs['phase']} of {inputs['country']} can't be recorded, so not continuing: {error.cause}",
                error.remedy,
            ) from None

    def prove(self, spec: Spec) -> Validation:
        """Validates until nothing is unknown any more, at most `PATIENCE` seconds."""
        patience = IMPATIENCE if phase_of(spec) == Phase.PREFLIGHT else PATIENCE
        return runner.settle(self.checks(spec), patience, again=(Verdict.UNKNOWN,))

    def checks(self, spec: Spec) -> list[Check]:
        """What proves the phase."""
        return phases.checks(spec)

    def glance(self, spec: Spec, before: Inputs) -> list[Check]:
        """What is asked in a diff beside the record."""
        # The realm's own probe, before the realm, has looked already; an update has repaired it since.
        if findings := self.run.realm_findings.pop(before["spec"], None):
            return [Check(findings[0].check, findings[0].topic, lambda: findings)]
        return phases.quick(spec)

    def proven(self, inputs: Inputs, spec: Spec, validation: Validation) -> None:
        """After the validator has answered, whatever it answered."""

    def recorded(self, store: Store, inputs: Inputs, spec: Spec, validation: Validation) -> None:
        """After the checkpoint has been written."""

    def delete_resource(self, before: Inputs) -> None:
        """The record says that the phase is to be done again; a hub that is gone has no record to change."""
        if not before["recorded"]:
            return
        country, phase = before["country"], Phase(before["phase"])
        try:
            # Closed at the end: the hub's database is dropped soon after, and an open session would hold it.
            with session(access_of(before["store"])) as store:
                store.hold(country, phase)
                store.forget(country, phase)
                store.release(country)
        except (Unreachable, LoginRefused) as error:
            tell(f"{before['phase']} of {before['country']}: not recorded as taken back: {error}")

    # Whether the phase is skipped.

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        changed = [k for k in self.changed_inputs(_olds, _news) if k not in ("spec", "__provider")]
        if changed:
            self._again(_olds, f"changed: {', '.join(changed)}")
        elif self.changed_inputs(_olds, _news):
            self._again(_olds, "its secrets or the program changed")
        return super().diff(_id, _olds, _news)

    def has_drifted(self, name: str, before: Inputs) -> bool:
        phase = Phase(before["phase"])
        again = self.run.deployment.has_changed(phase)
        access = access_of(before["store"]) if before.get("store") else None
        self.run.deployment.pass_checkpoint(before["country"], phase, access)
        if again:
            self._again(before, "a resource of it was changed")
            return True
        kept = self.run.unchecked.drain()
        try:
            try:
                spec = load(phase, before["spec"])
            except Unreadable:
                self._again(before, "the program changed")
                return True
            asked = [*self.glance(spec, before), *self._record(spec, before)]
            looked = runner.run(asked, GLANCE)
            if looked.verdict == Verdict.UNKNOWN and looked.late:
                looked = runner.run(asked, SECOND_GLANCE)
        except Exception as error:  # noqa: BLE001 (a diff that raises ends the whole deployment)
            tell(
                provider_messages.unknown(phase, f"kept as proven {ago(age(before['completed']))}: {first_line(error)}")
            )
            return False
        lasting = [f for f in looked.findings if f.topic != DUE]
        due = [f.found for f in looked.findings if f.topic == DUE and f.verdict == Verdict.INVALID]
        off = listing(lasting, Verdict.INVALID)
        if due and overall(lasting) != Verdict.INVALID:
            self._again(before, due[0])
            return True
        if looked.verdict == Verdict.INVALID:
            tell(provider_messages.again(phase, f"not valid now\n{off}"))
            first = next(f for f in looked.findings if f.verdict == Verdict.INVALID and not f.advisory)
            self.run.deployment.run_again(phase, f"not valid: {first.statement}")
            return True
        if looked.verdict == Verdict.UNKNOWN:
            tell(
                provider_messages.unknown(
                    phase, f"kept as proven {ago(age(before['completed']))}: {self._blind(looked.findings, kept)}"
                )
            )
            return False
        tell(provider_messages.skipped(phase, f"{looked.evidence}\n{off}" if off else looked.evidence))
        return False

    def _record(self, spec: Spec, before: Inputs) -> list[Check]:
        if not before.get("store"):
            return []  # DEPLOYMENT of the hub records it, and asks for it
        return [Check("the record says COMPLETED for this declaration", "record", lambda: _recorded(spec, before))]

    def _again(self, before: Inputs, why: str) -> None:
        """Tells why a phase runs again, and keeps it for the record."""
        if before.get("phase"):
            tell(provider_messages.again(Phase(before["phase"]), why))
            self.run.deployment.run_again(Phase(before["phase"]), why)

    def _blind(self, findings: Sequence[Finding], kept: int) -> str:
        """Return in one line what could not be checked, and why: `the engine does not answer (7 looks); 14 … kept`."""
        looks = Counter(" ".join(f.found.split()) for f in findings if f.verdict == Verdict.UNKNOWN and not f.advisory)
        for cause in looks:
            self.run.unchecked.is_new(cause)
        shown = [f"{cause} ({n} looks)" if n > 1 else cause for cause, n in looks.most_common(_CAUSES)]
        shown += [f"{len(looks) - _CAUSES} other causes"] if len(looks) > _CAUSES else []
        shown += [f"{kept} of its resources kept as they were"] if kept else []
        return "; ".join(shown)


class Checkpoint(Resource, module="dive", name="Checkpoint"):
    """The end of `phase` in the country of `names`.

    `store` is the login at the record. `bootstrap`: the hub's first phases, which may end before the record exists;
    their `proof` is given to a later phase as `earlier`, which records it with its own.

    `completed` (ISO 8601) changes whenever the phase is done again; `evidence` is what was proven, in one line.
    """

    evidence: pulumi.Output[str]
    completed: pulumi.Output[str]
    recorded: pulumi.Output[bool]
    proof: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        phase: Phase,
        names: Names,
        spec: pulumi.Input[Any],
        store: pulumi.Input[Any] | None,
        earlier: Sequence[pulumi.Input[dict[str, Any]]] = (),
        bootstrap: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = properties(phase, names, spec, store)
        props |= {"earlier": list(earlier), "bootstrap": bootstrap}
        super().__init__(CheckpointProvider(), name, props, opts)


def properties(phase: Phase, names: Names, spec: pulumi.Input[Any], store: pulumi.Input[Any] | None) -> dict[str, Any]:
    """The inputs and outputs that every checkpoint has."""
    wanted = pulumi.Output.from_input(spec)
    return {
        "phase": str(phase),
        "country": names.country.code,
        "spec": pulumi.Output.secret(wanted.apply(dump)),
        "declaration": pulumi.Output.unsecret(wanted.apply(fingerprint)),
        "store": plain(store),
        "evidence": None,
        "completed": None,
        "recorded": None,
        "proof": None,
    }


def _recorded(spec: Spec, before: Inputs) -> str:
    country, phase = before["country"], Phase(before["phase"])
    try:
        store = session(access_of(before["store"]))
    except (Unreachable, LoginRefused, OlderSchema) as error:
        if before["bootstrap"] and not before["recorded"]:
            return "awaits the database"
        raise CheckUnknown(error.cause, error.remedy or Remedy.update(HUB_CODE)) from None
    except RecordError as error:
        raise CheckFailed(
            error.cause, "a record that this program can read", error.remedy, Code.RECORD_MISMATCH
        ) from None
    for wanted in [phase, *(Phase(e["phase"]) for e in before.get("earlier") or [])]:
        step = store.step(country, wanted)
        if step is None:
            raise CheckFailed(f"no record of {wanted}", Status.COMPLETED, _RECORDS, Code.RECORD_MISMATCH)
        if step.status != Status.COMPLETED:
            raise CheckFailed(f"{wanted} is {step.status}", Status.COMPLETED, Remedy.update(), Code.RECORD_MISMATCH)
        if wanted == phase and step.fingerprint != fingerprint(spec):
            raise CheckFailed(
                f"declaration {step.fingerprint}", fingerprint(spec), Remedy.update(), Code.RECORD_MISMATCH
            )
    return "COMPLETED"


def _unrecorded(store: Store, inputs: Inputs) -> list[Proof]:
    """The proofs of earlier phases that the record does not hold yet."""
    proofs = [Proof.of(e) for e in inputs.get("earlier") or []]
    steps = [(proof, store.step(inputs["country"], proof.phase)) for proof in proofs]
    return [
        replace(proof, metadata={**proof.metadata, "recorded_with": inputs["phase"]})
        for proof, step in steps
        if step is None or step.status != Status.COMPLETED or step.fingerprint != proof.fingerprint
    ]
