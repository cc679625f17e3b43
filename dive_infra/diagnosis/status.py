"""From what was seen of a country to its status: two axes, and what is wrong with the command that mends it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from dive_infra.automation.backend_lock import BackendLock
from dive_infra.automation.stack_state import CheckpointState
from dive_infra.automation.workspace import ROOT, stack_file
from dive_infra.checks import report
from dive_infra.checks.spec import VerificationSpec, fingerprint
from dive_infra.config.countries import COUNTRIES, HUB_CODE
from dive_infra.diagnosis.snapshot import ContainerState, Snapshot
from dive_infra.diagnosis.status_report import (
    CollectingError,
    ContainerStatus,
    CountryStatus,
    DeploymentStatus,
    Health,
    LinkStatus,
    PhaseStatus,
    Problem,
)
from dive_infra.orchestration.overview import Link
from dive_infra.orchestration.states import IN_PROGRESS, Phase, State, Status
from dive_infra.results.finding import Finding, first_cause

_PULUMI = re.compile(r"pulumi up(?: --refresh)?(?: -s ([a-z]{3}))?")
_UP = re.compile(r"\./dive up(?: ([A-Z]{3}))? ([a-z].*)")
# A phase whose validator fails while the services may well work: nothing is served by it.
_SERVES_NOBODY = frozenset({Phase.PREFLIGHT})


def judge(country: Snapshot) -> CountryStatus:
    """The status of a country that was looked at."""
    deployment = _deployment(country)
    running = deployment.state == "RUNNING"
    problems = [*_unfinished(country, deployment), *_validators(country, running), *_disagreements(country, deployment)]
    problems += [*_links(country), *_report(country)]
    return CountryStatus(
        code=country.code,
        name=COUNTRIES[country.code].name,
        deployment=deployment,
        health=_health(country, problems),
        phases=[_phase(country, phase) for phase in Phase] if country.stack and country.deployed else [],
        containers=[_container(c) for c in country.containers],
        links=[_link(link) for link in (country.record.links if country.record else ())],
        problems=problems,
        collecting=[
            CollectingError(source=f.source, cause=f.cause, next=exact(f.remedy, country.code)) for f in country.failed
        ],
        seconds=round(country.seconds, 3),
    )


def exact(remedy: str, code: str) -> str:
    """A remedy with the command that deploys written out, so that it can be copied; what it does follows in brackets.

    `./dive up FRA` finds out by itself whether to refresh.
    """
    told = _PULUMI.sub(lambda found: f"./dive up {(found[1] or code).upper()}", remedy)
    found = _UP.match(told)
    return f"./dive up {found[1] or code} ({found[2]})" if found else told


# The first axis.


def _deployment(country: Snapshot) -> DeploymentStatus:
    stack, record = country.stack, country.record
    known = {"updated": stack.updated, "resources": stack.resources} if stack else {}
    running = next((u for u in country.updates if u.live is not False), None)
    holder = record.holder if record else None
    phase = holder.phase if holder else ""
    if running or (holder and holder.live):
        who, detail = str(running or holder), _elsewhere(running)
        return DeploymentStatus(state="RUNNING", detail=detail, age=_since(country), holder=who, phase=phase, **known)
    if not country.deployed:
        return DeploymentStatus(state="NOT_DEPLOYED", detail="there is no stack, or nothing in it", **known)
    if stack is None:
        return DeploymentStatus(state="UNKNOWN", detail="its state could not be read")
    current = record.current if record else None
    if holder and current and current.state == State.FAILED and current.run_id == holder.run_id:
        holder = None  # it told why it ended; a run that succeeds is the only one that gives its lock back
    left = [str(u) for u in country.updates] or ([str(holder)] if holder else [])
    if left or stack.pending:
        detail = f"pending: {', '.join(stack.pending)}" if stack.pending else "it ended without releasing its lock"
        return DeploymentStatus(
            state="INTERRUPTED", detail=detail, age=_since(country), holder=", ".join(left), phase=phase, **known
        )
    if record is None:
        first = not stack.store  # the hub, before its database
        detail = "it ended before there was a record" if first else "the record could not be asked"
        return DeploymentStatus(state="INTERRUPTED" if first else "UNKNOWN", detail=detail, **known)
    if record.current is None:
        return DeploymentStatus(state="UNKNOWN", detail="the record has no row of it", **known)
    state = record.current.state
    if state in IN_PROGRESS and state not in (State.ROLLING_BACK, State.CLEANUP):
        return DeploymentStatus(state="INTERRUPTED", detail=f"it ended while {state}", age=record.age, **known)
    return DeploymentStatus(state=state.value, detail=record.current.reason, age=record.age, **known)


def _elsewhere(update: BackendLock | None) -> str:
    return "on another machine, where it can't be told whether it lives" if update and update.live is None else ""


def _since(country: Snapshot) -> float | None:
    """How long the holder of a lock has held it."""
    if country.record and country.record.holder:
        return (country.record.now - country.record.holder.since).total_seconds()
    return (country.at - country.updates[0].since).total_seconds() if country.updates else None


# What is wrong, and the second axis.


def _unfinished(country: Snapshot, deployment: DeploymentStatus) -> Iterator[Problem]:
    """What the deployment itself left undone."""
    up = f"./dive up {country.code}"
    sentence = f"the deployment of {country.code} is complete"

    def problem(found: str, remedy: str, code: int | None, title: str = "") -> Problem:
        return Problem(
            severity="error", where="deployment", check=sentence, expected=State.COMPLETE, found=found, next=remedy,
            code=code, title=title or found,
        )  # fmt: skip

    if deployment.state == "NOT_DEPLOYED":
        known = stack_file(country.code.lower()).exists()
        yield problem(deployment.detail, up if known else f"./dive new {country.code}", None)
    if deployment.state == "INTERRUPTED":
        stale = any(u.live is False for u in country.updates)
        who = f": {deployment.holder}" if deployment.holder else ""
        remedy = f"pulumi cancel -s {country.code.lower()} --yes, then {up}" if stale else up
        yield problem(f"interrupted, {deployment.detail}{who}", remedy, 1503)
    if deployment.state in ("FAILED", "PARTIAL", "ROLLING_BACK", "CLEANUP"):
        failure = next(iter(country.record.failures), None) if country.record else None
        told = first_cause(failure.message) if failure else deployment.detail
        code = int(failure.code) if failure and failure.code.isdigit() else 1104
        remedy = exact(failure.remedy, country.code) if failure and failure.remedy else up
        yield problem(f"{deployment.state}: {told}", remedy, code, _past(country, deployment.state, told))
    if deployment.state == "UNKNOWN" and country.record:
        yield problem(deployment.detail, up, 1505)


def _past(country: Snapshot, state: str, cause_then: str) -> str:
    """How the last run ended; its cause only where the validators do not show it as present."""
    ended = f"the last run ended {state.replace('_', ' ')}"
    present = {f.statement for looked in country.phases.values() for f in looked.findings if f.answer != "valid"}
    return ended if not cause_then or cause_then in present else f"{ended}; its cause at that time: {cause_then}"


def _validators(country: Snapshot, running: bool) -> Iterator[Problem]:
    """What the validators find; a finding that another phase found too is told once, and the lock on the first axis."""
    known = {f.cause for f in country.failed}  # told of its source
    told: dict[tuple[str, str], tuple[Phase, list[Finding]]] = {}
    for phase, looked in country.phases.items():
        for finding in looked.findings:
            if finding.answer == "valid" or finding.found in known or (running and finding.topic == "lock"):
                continue
            # What could not be told for one and the same reason is told once.
            key = ("", finding.found) if finding.answer == "unknown" else (finding.check, finding.found)
            told.setdefault(key, (phase, []))[1].append(finding)
    for phase, findings in told.values():
        yield _problem(country, phase, findings)
    for phase, checkpoint in (country.stack.checkpoints if country.stack else {}).items():
        if checkpoint.unreadable:
            yield Problem(
                severity="unknown", where=phase, check=f"what {phase} declared can be read",
                expected="a declaration of this version", found=checkpoint.unreadable, next=f"./dive up {country.code}",
                code=1105, title=f"could not check {phase}: {checkpoint.unreadable}",
            )  # fmt: skip


def _problem(country: Snapshot, phase: Phase, findings: list[Finding]) -> Problem:
    finding, more = findings[0], len({f.check for f in findings}) - 1
    told = replace(finding, check=f"{finding.check} (and {more} more)") if more else finding
    mild = finding.advisory or finding.undeclared or phase in _SERVES_NOBODY
    return Problem(
        severity="unknown" if finding.answer == "unknown" else "warning" if mild else "error",
        where=phase,
        check=told.check,
        expected=finding.expected,
        found=finding.found,
        next=exact(finding.remedy, country.code) or f"./dive doctor {country.code}",
        code=finding.code,
        title=told.statement,
    )


def _disagreements(country: Snapshot, deployment: DeploymentStatus) -> Iterator[Problem]:
    """Where the record does not say what the state says; not while somebody is changing both."""
    record, stack = country.record, country.stack
    if not record or not stack or deployment.state in ("RUNNING", "INTERRUPTED", "FAILED"):
        return
    for phase in Phase:
        checkpoint, step = stack.checkpoints.get(phase), record.steps.get(phase)
        expected, found = _compared(checkpoint, step.status if step else None, step.fingerprint if step else "")
        if found != expected:
            yield Problem(
                severity="warning", where=phase, check=f"{phase} is recorded as deployed", expected=expected,
                found=found, next=f"./dive up {country.code}", code=1505,
                title=f"the record disagrees with the state: {found}; expected {expected}",
            )  # fmt: skip


def _compared(checkpoint: CheckpointState | None, status: Status | None, recorded: str) -> tuple[str, str]:
    """What the record should say of a phase, and what it says."""
    if checkpoint is None:
        return "a checkpoint", "none in the state"
    if status != Status.COMPLETED or not checkpoint.spec:
        return Status.COMPLETED, status or "no record" if status != Status.COMPLETED else Status.COMPLETED
    return f"declaration {fingerprint(checkpoint.spec)}", f"declaration {recorded}"


def _links(country: Snapshot) -> Iterator[Problem]:
    """Every link that the country's own deployment has to prove."""
    spec = country.stack.spec(Phase.VERIFICATION) if country.stack else None
    if not country.record or not isinstance(spec, VerificationSpec):
        return
    proven = {(link.source, link.target): link for link in country.record.links}
    here = country.code
    for partner in (p.names.country.code for p in spec.partners):
        for source, target in ((here, partner), (partner, here)):
            link = proven.get((source, target))
            if link is None or link.status != "ACTIVE" or link.age is None:
                found = f"{link.status}: {link.error}" if link else "never proven"
                yield Problem(
                    severity="warning", where="links", check=f"users from {source} can log in at {target}",
                    expected="a proven login", found=found, next=f"./dive up {here}", code=1303,
                    title=f"login of users from {source} at {target}: {found}",
                )  # fmt: skip


def _report(country: Snapshot) -> Iterator[Problem]:
    """The report is for people and programs: it decides nothing, but nobody should read a wrong one."""
    written = country.stack.report if country.stack else None
    off = report.judge(ROOT / written.path, written.text) if written else ""
    if written and off:
        yield Problem(
            severity="warning", where="report", check="the verification report is the one that was written",
            expected=written.path, found=off, next=f"./dive up {country.code}", code=1106,
            title=f"the verification report {written.path} {off}",
        )  # fmt: skip


def _health(country: Snapshot, problems: list[Problem]) -> Health:
    if not country.deployed:
        return "none"
    found = {p.severity for p in problems if p.where not in ("deployment", "report") and p.code != 1505}
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
    looked = country.phases.get(phase)
    age = step.age if step else _age(checkpoint, country.at)
    return PhaseStatus(
        phase=phase,
        recorded=step.status if step else "COMPLETED" if checkpoint and not country.record else "",
        age=age,
        evidence=(step.evidence if step else "") or (checkpoint.evidence if checkpoint else ""),
        run=step.run_id if step else "",
        now=looked.verdict if looked else None,
        checks=len(looked.findings) if looked else 0,
        valid=sum(f.answer == "valid" for f in looked.findings) if looked else 0,
        seconds=round(looked.seconds, 3) if looked else 0.0,
        note=_note(country, phase, checkpoint, age),
    )


def _note(country: Snapshot, phase: Phase, checkpoint: CheckpointState | None, age: float | None) -> str:
    if checkpoint is None:
        return "" if country.problem("state") else "never completed"
    spec = checkpoint.spec
    if isinstance(spec, VerificationSpec):
        old = age is not None and age > spec.max_age
        return f"older than {spec.max_age:g} s; the next ./dive up proves it again" if old else ""
    if phase in (Phase.PREFLIGHT, Phase.INITIALIZATION) and country.record is None and country.code == HUB_CODE:
        return "as the state has it"
    return ""


def _age(checkpoint: CheckpointState | None, now: datetime) -> float | None:
    """By the clock of this machine: without the record there is no other."""
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
