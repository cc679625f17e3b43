"""How far the deployment of a country is: the first axis of its status, from its state, its locks and its record."""

from dive_infra.automation.backend_lock import BackendLock
from dive_infra.diagnosis.snapshot import Snapshot
from dive_infra.diagnosis.status_report import DeploymentStatus
from dive_infra.orchestration.states import IN_PROGRESS, State, Status


def deployment_state(country: Snapshot) -> DeploymentStatus:
    """Return the state of the deployment; an observation that shows more than the record goes before it."""
    stack, record = country.stack, country.record
    known = {"updated": stack.updated, "resources": stack.resources} if stack else {}
    running = next((u for u in country.updates if u.live is not False), None)
    holder = record.holder if record else None
    phase = holder.phase if holder else ""
    if running or (holder and holder.live):
        who, detail = str(running or holder), _elsewhere(running)
        return DeploymentStatus(state="RUNNING", detail=detail, age=_since(country), holder=who, phase=phase, **known)
    if not country.deployed:
        return DeploymentStatus(state="NOT_DEPLOYED", detail="the stack does not exist or is empty", **known)
    if stack is None:
        return DeploymentStatus(state="UNKNOWN", detail="its state could not be read")
    current = record.current if record else None
    if holder and current and current.state == State.FAILED and current.run_id == holder.run_id:
        holder = None  # the record says why it ended; a provider process never releases the lock of a failed run
    left = [str(u) for u in country.updates] or ([str(holder)] if holder else [])
    if left or stack.pending:
        detail = f"pending: {', '.join(stack.pending)}" if stack.pending else "it ended without releasing its lock"
        return DeploymentStatus(
            state="INTERRUPTED", detail=detail, age=_since(country), holder=", ".join(left), phase=phase, **known
        )
    if record is None:
        first = not stack.store  # before its database
        detail = "it ended before the record existed" if first else "the record did not answer"
        return DeploymentStatus(state="INTERRUPTED" if first else "UNKNOWN", detail=detail, **known)
    if record.current is None:
        return DeploymentStatus(state="UNKNOWN", detail="the record has no row for it", **known)
    state = record.current.state
    if state in IN_PROGRESS and state not in (State.ROLLING_BACK, State.CLEANUP):
        return DeploymentStatus(state="INTERRUPTED", detail=f"it ended while {state}", age=record.age, **known)
    failed = next((step.phase for step in record.steps.values() if step.status == Status.FAILED), phase)
    where = failed if state == State.FAILED else ""
    return DeploymentStatus(state=state.value, detail=record.current.reason, age=record.age, phase=where, **known)


def _elsewhere(update: BackendLock | None) -> str:
    return "on another machine; cannot determine whether it is still running" if update and update.live is None else ""


def _since(country: Snapshot) -> float | None:
    """Return how many seconds the holder has held its lock."""
    if country.record and country.record.holder:
        return (country.record.now - country.record.holder.since).total_seconds()
    return (country.at - country.updates[0].since).total_seconds() if country.updates else None
