"""The checkpoint at the end of a phase: proven by the phase's validator, recorded, and checked again in every diff.

A diff skips the phase if the record says COMPLETED for the same declaration and the validator passes now. Otherwise the
phase runs again, and the diff says why. If the database, the engine or a service does not answer, the phase is kept as
proven, and the diff says that, too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult, Resource

from dive_infra.checks import deployed_names, phases, runner
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import (
    ConfigurationSpec,
    PreflightSpec,
    Spec,
    Unreadable,
    dump,
    fingerprint,
    load,
    phase_of,
)
from dive_infra.config import timeouts
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

DUE = "age"  # topic of the check whether a proof is too old; too old does not mean that anything is wrong
_CAUSES = 2  # shown in one line; more are counted
_RECORDS = Remedy.update(detail="proves and records it again")


class CheckpointProvider(Provider):
    deploys = False  # it locks and records by itself
    replaces = ("country", "phase")

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
        self.after_proof(inputs, spec, validation)
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
            self.after_record(store, inputs, spec, validation)
        outputs = {
            "evidence": proof.evidence,
            "completed": proof.proven_at,
            "recorded": store is not None,
            "proof": {**proof.plain(), "recorded": store is not None},
        }
        return f"{country.lower()}/{phase}", outputs

    def store(self, inputs: Inputs) -> Store | None:
        """Return the record; None in the first phases, which end before its database exists."""
        if not inputs.get("store"):
            return None
        try:
            return session(access_of(inputs["store"]))
        except (Unreachable, LoginRefused, OlderSchema) as error:
            raise ProviderError(
                f"{inputs['phase']} of {inputs['country']} can't be recorded, so not continuing: {error.cause}",
                error.remedy,
            ) from None

    def prove(self, spec: Spec) -> Validation:
        """Run the checks, and repeat unknown ones until their time is over."""
        seconds = timeouts.PREFLIGHT_PROOF if phase_of(spec) == Phase.PREFLIGHT else timeouts.PROOF
        return runner.settle(self.checks(spec), seconds, again=(Verdict.UNKNOWN,))

    def checks(self, spec: Spec) -> list[Check]:
        """Return the checks that prove the phase."""
        return phases.checks(spec)

    def shallow_checks(self, spec: Spec, before: Inputs) -> list[Check]:
        """Return the checks of a diff, beside those of the record."""
        # The realm's own probe has checked already, before an update repaired the realm.
        if isinstance(spec, ConfigurationSpec) and (found := self.run.realm_findings.pop(spec.names.realm, None)):
            return [Check(found[0].check, found[0].topic, lambda: found), *phases.checks_beside_probe(spec)]
        return phases.shallow_checks(spec)

    def after_proof(self, inputs: Inputs, spec: Spec, validation: Validation) -> None:
        """Act on the validation, for each verdict."""

    def after_record(self, store: Store, inputs: Inputs, spec: Spec, validation: Validation) -> None:
        """Act after the checkpoint was recorded."""

    def delete_resource(self, before: Inputs) -> None:
        """Remove the checkpoint from the record, if that still exists."""
        if not before["recorded"]:
            return
        country, phase = before["country"], Phase(before["phase"])
        try:
            # Closed at the end: the database is dropped soon after, which an open session would prevent.
            with session(access_of(before["store"])) as store:
                store.hold(country, phase)
                store.forget(country, phase)
                store.release(country)
        except (Unreachable, LoginRefused) as error:
            tell(provider_messages.still_recorded(before["phase"], before["country"], error))

    # Whether the phase runs again.

    def diff(self, _id: str, _olds: Outputs, _news: Outputs) -> DiffResult:
        _refuse_other_names(_olds, _news)
        changed = [k for k in self.changed_inputs(_olds, _news) if k not in ("spec", "__provider")]
        if changed:
            self._again(_olds, provider_messages.changed(changed))
        elif self.changed_inputs(_olds, _news):
            self._again(_olds, _other_keys(_olds, _news) or "its secrets or the program changed")
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
            asked = [*self.shallow_checks(spec, before), *self._record(spec, before)]
            found = runner.run(asked, timeouts.DIFF_PHASE, timeouts.DIFF_PHASE_LATE)
        except Exception as error:  # noqa: BLE001 (a diff that raises ends the whole deployment)
            tell(
                provider_messages.unknown(phase, f"kept as proven {ago(age(before['completed']))}: {first_line(error)}")
            )
            return False
        lasting = [f for f in found.findings if f.topic != DUE]
        due = [f.found for f in found.findings if f.topic == DUE and f.verdict == Verdict.INVALID]
        off = listing(lasting, Verdict.INVALID)
        if due and overall(lasting) != Verdict.INVALID:
            self._again(before, due[0])
            return True
        if found.verdict == Verdict.INVALID:
            tell(provider_messages.again(phase, f"not valid now\n{off}"))
            first = next(f for f in found.findings if f.verdict == Verdict.INVALID and not f.advisory)
            self.run.deployment.run_again(phase, f"not valid: {first.statement}")
            return True
        if found.verdict == Verdict.UNKNOWN:
            tell(
                provider_messages.unknown(
                    phase, f"kept as proven {ago(age(before['completed']))}: {self._unknown(found.findings, kept)}"
                )
            )
            return False
        tell(provider_messages.skipped(phase, f"{found.evidence}\n{off}" if off else found.evidence))
        return False

    def _record(self, spec: Spec, before: Inputs) -> list[Check]:
        if not before.get("store"):
            return []  # DEPLOYMENT records it, and checks its record
        return [Check("the record says COMPLETED for this declaration", "record", lambda: _recorded(spec, before))]

    def _again(self, before: Inputs, why: str) -> None:
        """Report why a phase runs again, and keep the reason for the record."""
        if before.get("phase"):
            tell(provider_messages.again(Phase(before["phase"]), why))
            self.run.deployment.run_again(Phase(before["phase"]), why)

    def _unknown(self, findings: Sequence[Finding], kept: int) -> str:
        """Return in one line what could not be checked, and why: `the engine does not answer (7 checks); 14 … kept`."""
        causes = Counter(" ".join(f.found.split()) for f in findings if f.verdict == Verdict.UNKNOWN and not f.advisory)
        for cause in causes:
            self.run.unchecked.is_new(cause)
        shown = [f"{cause} ({n} checks)" if n > 1 else cause for cause, n in causes.most_common(_CAUSES)]
        shown += [f"{len(causes) - _CAUSES} other causes"] if len(causes) > _CAUSES else []
        shown += [f"{kept} of its resources kept as they were"] if kept else []
        return "; ".join(shown)


class Checkpoint(Resource, module="dive", name="Checkpoint"):
    """The end of `phase` in the country of `names`.

    `store` is the login at the record. The first phases end before the record exists and have none; a later phase gets
    their `proof` as `earlier`, and records each new one with its own.

    `completed` (ISO 8601) changes whenever the phase runs; `evidence` is what was proven, in one line.
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
        store: pulumi.Input[Any] | None = None,
        earlier: Sequence[pulumi.Input[dict[str, Any]]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = properties(phase, names, spec, store)
        props |= {"earlier": list(earlier)}
        super().__init__(CheckpointProvider(), name, props, opts)


def properties(phase: Phase, names: Names, spec: pulumi.Input[Any], store: pulumi.Input[Any] | None) -> dict[str, Any]:
    """Return the inputs and outputs that every checkpoint has."""
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


def _refuse_other_names(before: Inputs, now: Inputs) -> None:
    """Refuse to rename a deployed country; PREFLIGHT does it, before anything of another phase is changed."""
    if now["phase"] != Phase.PREFLIGHT:
        return
    try:
        deployed, wanted = (load(Phase.PREFLIGHT, inputs.get("spec", "")) for inputs in (before, now))
    except Unreadable:  # of another version, or absent because a preview does not know it yet
        return
    assert isinstance(deployed, PreflightSpec)
    assert isinstance(wanted, PreflightSpec)
    try:
        deployed_names.keep(deployed.names, wanted.names)
    except CheckFailed as error:
        raise ProviderError(error.cause, error.remedy, error.code, error.expected) from None


def _other_keys(before: Inputs, now: Inputs) -> str:
    """Return the reason of a phase that runs again with other recorded keys; empty if they are the same."""
    try:
        deployed, wanted = (load(Phase(now["phase"]), inputs.get("spec", "")) for inputs in (before, now))
    except Unreadable:  # of another version, or absent because a preview does not know it yet
        return ""
    if not isinstance(deployed, ConfigurationSpec) or not isinstance(wanted, ConfigurationSpec):
        return ""
    other = [realm for realm, keys in wanted.keys.items() if realm in deployed.keys and keys != deployed.keys[realm]]
    return f"other keys of {' and of '.join(f'realm {realm}' for realm in other)} are recorded" if other else ""


def _recorded(spec: Spec, before: Inputs) -> str:
    country, phase = before["country"], Phase(before["phase"])
    try:
        store = session(access_of(before["store"]))
    except (Unreachable, LoginRefused, OlderSchema) as error:
        raise CheckUnknown(error.cause, error.remedy or Remedy.update()) from None
    except RecordError as error:
        raise CheckFailed(
            error.cause, "a record that this program can read", error.remedy, Code.RECORD_MISMATCH
        ) from None
    declared = {phase: fingerprint(spec)} | {Phase(e["phase"]): e["fingerprint"] for e in before.get("earlier") or []}
    for wanted, declaration in declared.items():
        step = store.step(country, wanted)
        if step is None:
            raise CheckFailed(f"no record of {wanted}", Status.COMPLETED, _RECORDS, Code.RECORD_MISMATCH)
        if step.status != Status.COMPLETED:
            raise CheckFailed(f"{wanted} is {step.status}", Status.COMPLETED, Remedy.update(), Code.RECORD_MISMATCH)
        if step.fingerprint != declaration:
            found = (
                f"declaration {step.fingerprint}" if wanted == phase else f"{wanted}: declaration {step.fingerprint}"
            )
            raise CheckFailed(found, declaration, Remedy.update(), Code.RECORD_MISMATCH)
    return "COMPLETED"


def _unrecorded(store: Store, inputs: Inputs) -> list[Proof]:
    """Return the proofs of earlier phases that are not in the record yet."""
    proofs = [Proof.of(e) for e in inputs.get("earlier") or []]
    steps = [(proof, store.step(inputs["country"], proof.phase)) for proof in proofs]
    return [
        replace(proof, metadata={**proof.metadata, "recorded_with": inputs["phase"]})
        for proof, step in steps
        if step is None
        or (step.status, step.fingerprint, step.run_id) != (Status.COMPLETED, proof.fingerprint, proof.run_id)
    ]
