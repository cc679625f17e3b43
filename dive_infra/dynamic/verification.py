"""The checkpoint of VERIFICATION, which ends a deployment: real logins and decisions, written to a report."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from pulumi.dynamic import Resource

from dive_infra.checks import partners, report, runner
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import VerificationSpec
from dive_infra.config import timeouts
from dive_infra.config.naming import Names
from dive_infra.dynamic.base import Inputs, Outputs, tell
from dive_infra.dynamic.checkpoint import DUE, CheckpointProvider, properties
from dive_infra.dynamic.orchestration import access_of
from dive_infra.dynamic.publication import publish
from dive_infra.identity.keycloak_admin import KeycloakUnreachable
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import overview
from dive_infra.orchestration.records import this_run
from dive_infra.orchestration.states import Phase, State
from dive_infra.orchestration.store import Store, session
from dive_infra.plans import provider_messages
from dive_infra.results.codes import Code
from dive_infra.results.finding import Verdict
from dive_infra.results.remedy import Remedy

Answered = TypeVar("Answered")

_PROVES = Remedy.update(detail="proves it again")


class VerificationProvider(CheckpointProvider):
    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        name, outputs = super().create_resource(inputs)
        text = Path(inputs["path"]).read_text()
        return name, {**outputs, "report": text, "status": "success"}

    def checks(self, spec: Any) -> list[Check]:
        from dive_infra.checks import verification

        return verification.checks(spec, lambda said: self.run.statuses.update({said.country: said}))

    def prove(self, spec: Any) -> Validation:
        from dive_infra.checks import verification

        with suppress(KeycloakUnreachable):  # the proof asks again, and reports it
            if locked := verification.lockout(spec, lift=True):
                tell(provider_messages.lock_lifted(verification.person(spec.own.names).username, locked))
        return runner.settle(self.checks(spec), timeouts.VERIFICATION_PROOF, again=(Verdict.INVALID, Verdict.UNKNOWN))

    def shallow_checks(self, spec: Any, before: Inputs) -> list[Check]:
        from dive_infra.checks import verification  # loads every client library

        age = Check(f"it was proven at most {spec.max_age:g} s ago", DUE, lambda: _age(spec, before))
        state = Check("the record says COMPLETE", "state", lambda: _complete(before), subject="state in the record")
        sentence = "every link is proven, or its partner does not answer yet"
        links = Check(sentence, "links", lambda: _linked(spec, before), subject="logins over the links")
        return [*verification.shallow_checks(spec), age, state, links]

    def after_proof(self, inputs: Inputs, spec: Any, validation: Validation) -> None:
        report.write(report.text(report.make(spec, validation, this_run().id)), Path(spec.report))

    def after_record(self, store: Store, inputs: Inputs, spec: Any, validation: Validation) -> None:
        from dive_infra.checks import verification

        for visit in verification.visited(spec, validation):
            link = (visit.source, visit.target, visit.alias, visit.client)
            if visit.pending:
                store.link_pending(inputs["country"], *link, visit.pending)
            else:
                store.link(inputs["country"], *link, visit.seconds)
        store.unlink(inputs["country"], [partner.names.country.code for partner in spec.partners])
        for said in self.run.statuses.values():  # of a partner that has not answered, the last one stays, with its age
            store.note(said)
        publish(spec, store)
        store.release(inputs["country"])  # the last phase: the deployment has ended

    def delete_resource(self, before: Inputs) -> None:
        # From the outputs: an older program may have written the specification, or a state without a path.
        if path := before.get("path"):
            Path(path).unlink(missing_ok=True)
        super().delete_resource(before)


class VerificationCheckpoint(Resource, module="dive", name="Verification"):
    """The proof of the country of `names` and its links; `after` are the `completed` of the phases before it.

    It is proven again if one of them ran again, if the last proof is older than the specification's `max_age`, or if a
    quick check fails. `report` is the report's JSON text, `completed` the time (ISO 8601).
    """

    evidence: pulumi.Output[str]
    completed: pulumi.Output[str]
    recorded: pulumi.Output[bool]
    proof: pulumi.Output[dict[str, Any]]
    path: pulumi.Output[str]
    report: pulumi.Output[str]
    status: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        names: Names,
        spec: pulumi.Input[VerificationSpec],
        store: pulumi.Input[Any],
        path: str,
        after: Sequence[pulumi.Input[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = properties(Phase.VERIFICATION, names, spec, store)
        props |= {"after": list(after), "path": path, "report": None, "status": None}
        super().__init__(VerificationProvider(), name, props, opts)


def _complete(before: Inputs) -> str:
    """Return the state in the record; a run that was interrupted or failed left another one, and is proven again."""
    current = _ask(before, lambda store: store.current(before["country"]))
    if current is None or current.state != State.COMPLETE:
        raise CheckFailed(current.state if current else "no record", State.COMPLETE, _PROVES)
    return "COMPLETE"


def _linked(spec: VerificationSpec, before: Inputs) -> str:
    """Return how many links are proven; this country's deployment proves each of its links both ways.

    One that is not is proven now if its partner has issued a person for it meanwhile; otherwise it stays pending.
    """
    here = spec.own.names.country.code
    known = _ask(before, lambda store: store.query(lambda connection: overview(connection, here))).links
    active = {(link.source, link.target) for link in known if link.status == "ACTIVE" and link.age is not None}
    pending: list[str] = []
    for partner in spec.partners:
        there = partner.names.country.code
        if {(here, there), (there, here)} <= active:
            continue
        try:
            partners.issued(partner, spec.own.names, spec.sealing_key, spec.ca)
        except partners.Pending:
            pending.append(there)
            continue
        raise CheckFailed(f"the link to {there} is not proven", "a proven link", _PROVES, Code.LINK_NOT_PROVEN)
    proven = f"{len(spec.partners) - len(pending)} links"
    return f"{proven}, pending: {', '.join(pending)}" if pending else proven


def _ask(before: Inputs, question: Callable[[Store], Answered]) -> Answered:
    try:
        return question(session(access_of(before["store"])))
    except RecordError as error:
        raise CheckUnknown(error.cause, error.remedy or Remedy.update()) from None


def _age(spec: VerificationSpec, before: Inputs) -> str:
    """Return the age of the proof, by the database's clock."""
    seconds = _ask(before, lambda store: store.age(before["country"], Phase.VERIFICATION))
    if seconds is None or seconds > spec.max_age:
        last = "no proof is recorded" if seconds is None else f"it was proven {seconds:.0f} s ago"
        raise CheckFailed(f"{last}; a proof counts for {spec.max_age:g} s", remedy=_PROVES)
    return f"{seconds:.0f} s ago"
