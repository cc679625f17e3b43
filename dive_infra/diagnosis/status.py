"""The status of a country, from its snapshot and its symptoms: two axes, the parts, and every problem."""

from collections.abc import Sequence
from datetime import datetime

from dive_infra.automation.stack_state import CheckpointState
from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import VerificationSpec
from dive_infra.config.countries import COUNTRIES
from dive_infra.diagnosis.deployment_state import deployment_state
from dive_infra.diagnosis.snapshot import ContainerState, Snapshot
from dive_infra.diagnosis.status_report import (
    CollectingError,
    ContainerStatus,
    CountryStatus,
    Health,
    LinkStatus,
    MemberStatus,
    PhaseStatus,
    Problem,
    RotationStatus,
)
from dive_infra.diagnosis.symptoms import Symptom, symptoms
from dive_infra.orchestration.overview import Link
from dive_infra.orchestration.states import Phase
from dive_infra.results.codes import Code
from dive_infra.results.finding import Verdict


def judge(country: Snapshot, found: Sequence[Symptom] | None = None) -> CountryStatus:
    """Return the status of a country; `found` are its symptoms, if they are known already."""
    found = list(symptoms(country)) if found is None else found
    problems = [_problem(s) for s in found if not s.source]
    return CountryStatus(
        code=country.code,
        name=COUNTRIES[country.code].name,
        deployment=deployment_state(country),
        health=_health(country, problems),
        phases=[_phase(country, phase) for phase in Phase] if country.stack and country.deployed else [],
        containers=[_container(c) for c in country.containers],
        links=[_link(link) for link in (country.record.links if country.record else ())],
        members=[
            MemberStatus(code=m.code, state=m.state, age=m.age)
            for m in (country.record.members if country.record else ())
        ],
        cut=[*country.stack.outputs.get("cut", ())] if country.stack else [],
        rotation=RotationStatus(next=country.rotation.next, waiting=dict(country.rotation.waiting))
        if country.rotation
        else None,
        keys=RotationStatus(next="finish", waiting=dict(country.keys)) if country.keys is not None else None,
        problems=problems,
        collecting=[CollectingError(source=s.where, cause=s.found, next=s.next) for s in found if s.source],
        seconds=round(country.seconds, 3),
    )


def _problem(symptom: Symptom) -> Problem:
    return Problem(
        severity=symptom.severity,
        where=symptom.where,
        check=symptom.check,
        expected=symptom.finding.expected,
        found=symptom.found,
        next=symptom.next,
        code=symptom.number,
        title=symptom.title,
    )


def _health(country: Snapshot, problems: list[Problem]) -> Health:
    if not country.deployed:
        return "none"
    found = {p.severity for p in problems if p.where not in ("deployment", "report") and p.code != Code.RECORD_MISMATCH}
    if "error" in found:
        return "unhealthy"
    if "warning" in found:
        return "degraded"
    blind = country.problem("state") or country.problem("engine") or Phase.DEPLOYMENT not in country.phases
    return "unknown" if blind or "unknown" in found else "healthy"


# The parts that are shown.


def _phase(country: Snapshot, phase: Phase) -> PhaseStatus:
    checkpoint = country.stack.checkpoints.get(phase) if country.stack else None
    step = country.record.steps.get(phase) if country.record else None
    validation = country.phases.get(phase)
    age = step.age if step else _age(checkpoint, country.at)
    return PhaseStatus(
        phase=phase,
        recorded=step.status if step else "COMPLETED" if checkpoint and not country.record else "",
        age=age,
        evidence=(step.evidence if step else "") or (checkpoint.evidence if checkpoint else ""),
        run=step.run_id if step else "",
        now=validation.verdict if validation else None,
        checks=len(validation.findings) if validation else 0,
        valid=sum(f.verdict == Verdict.VALID for f in validation.findings) if validation else 0,
        seconds=round(validation.seconds, 3) if validation else 0.0,
        note="; ".join(filter(None, (_note(country, phase, checkpoint, age), *_notes(validation)))),
    )


def _note(country: Snapshot, phase: Phase, checkpoint: CheckpointState | None, age: float | None) -> str:
    if checkpoint is None:
        return "" if country.problem("state") else "never completed"
    spec = checkpoint.spec
    if isinstance(spec, VerificationSpec):
        old = age is not None and age > spec.max_age
        return f"older than {spec.max_age:g} s; the next ./dive up proves it again" if old else ""
    if phase in (Phase.PREFLIGHT, Phase.INITIALIZATION) and country.record is None:
        return "according to the state"
    return ""


def _notes(validation: Validation | None) -> list[str]:
    return list(dict.fromkeys(f.note for f in validation.findings)) if validation else []


def _age(checkpoint: CheckpointState | None, now: datetime) -> float | None:
    """Return the age by this machine's clock: without the record no other is known."""
    if checkpoint is None:
        return None
    return (now - datetime.fromisoformat(checkpoint.completed)).total_seconds()


def _container(container: ContainerState) -> ContainerStatus:
    condition = container.condition
    return ContainerStatus(
        service=container.service,
        name=container.name,
        state=condition.describe(),
        healthy=condition.healthy,
        restarts=condition.restarts,
        service_class=container.service_class,
        declared=container.declared,
    )


def _link(link: Link) -> LinkStatus:
    return LinkStatus(
        source=link.source,
        target=link.target,
        alias=link.alias,
        status=link.status,
        age=link.age,
        seconds=link.seconds,
        error=link.error,
    )
