"""A country at one time, from four sources: the stack's state, the engine, the record and the services themselves.

Each source may fail without the others. `failed` lists those that did, apart from what the others report.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from dive_infra import engines
from dive_infra.automation import stack_state as stacks
from dive_infra.automation import truncated_state
from dive_infra.automation.backend_lock import BackendLock, backend_locks
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_state import StackState
from dive_infra.automation.state_export import Export, NotDeployed
from dive_infra.checks import ca_rotation, connectivity, key_rotation, objects, phases, runner, verification
from dive_infra.checks.runner import Check, CheckUnknown, Validation
from dive_infra.checks.spec import DeploymentSpec, Spec, VerificationSpec
from dive_infra.config.naming import CLASS_LABEL, SERVICE_LABEL, Names
from dive_infra.crypto import pki
from dive_infra.engines.engine import Condition, EngineError
from dive_infra.membership import document
from dive_infra.membership.refusals import MembershipError
from dive_infra.orchestration.access import DatabaseAccess, RecordError
from dive_infra.orchestration.overview import Overview, read_overview
from dive_infra.orchestration.states import Phase, State
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy

DEADLINE = 10.0  # seconds for all checks of a country

_READABLE = Remedy.decide(
    "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one that the stack was created with"
)

# What may follow when no packet passes between containers. So may all that could not be checked.
_MAY_FOLLOW = frozenset({
    Code.HUB_UNHEALTHY, Code.CONTAINER, Code.TIMEOUT, Code.POLICY_DISTRIBUTION, Code.KEYCLOAK, Code.LOGIN_REFUSED,
    Code.LOGIN_UNEXPECTED, Code.DECISION_OR_API, Code.DATABASE,
})  # fmt: skip

Source = Literal["state", "engine", "record"]


@dataclass(frozen=True)
class Failed:
    """A source that did not answer: why, and what makes it answer."""

    source: Source
    cause: str
    remedy: Remedy


@dataclass(frozen=True)
class ContainerState:
    """A container of the country; `declared` is False if it carries the labels but is in no declaration."""

    service: str
    name: str
    condition: Condition
    service_class: str = ""
    declared: bool = True


@dataclass(frozen=True)
class Snapshot:
    """`stack` is None if it does not exist (`deployed` is False) or could not be read (`failed` says so).

    `phases` holds what the validators of the completed phases find; `rotation`, at the hub, is that of the coalition's
    CA; `keys`, while those of the country are being replaced: partner -> why it does not rely on the new ones yet;
    `seconds` is the duration of the observation; `at` is by this machine's clock.
    """

    code: str
    deployed: bool
    stack: StackState | None = None
    names: Names | None = None
    updates: tuple[BackendLock, ...] = ()
    record: Overview | None = None
    containers: tuple[ContainerState, ...] = ()
    phases: Mapping[Phase, Validation] = field(default_factory=dict[Phase, Validation])
    failed: tuple[Failed, ...] = ()
    seconds: float = 0.0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rotation: ca_rotation.UnderWay | None = None
    keys: Mapping[str, str] | None = None

    @property
    def answered(self) -> dict[Source, bool]:
        """Return for each source whether it was asked and has answered."""
        asked: dict[Source, bool] = {
            "state": self.stack is not None or not self.deployed,
            "engine": self.names is not None,
            "record": self.record is not None,
        }
        return {source: was and self.problem(source) is None for source, was in asked.items()}

    def problem(self, source: Source) -> Failed | None:
        return next((f for f in self.failed if f.source == source), None)


def shallow_checks(spec: Spec) -> list[Check]:
    """Return the checks of a phase without real logins, and without those that another phase makes too."""
    return verification.working(spec) if isinstance(spec, VerificationSpec) else phases.checks(spec)


def deep_checks(spec: Spec) -> list[Check]:
    """Return the checks of a phase; for VERIFICATION with the real logins."""
    return (
        [*shallow_checks(spec), *verification.logins(spec)]
        if isinstance(spec, VerificationSpec)
        else shallow_checks(spec)
    )


def observe(
    export: Export,
    named: Names | None = None,
    checks: Callable[[Spec], list[Check]] = shallow_checks,
    deadline: float = DEADLINE,
) -> Snapshot:
    """Observe the country of `export`. `named` are the names from its settings, for a country never deployed."""
    started = time.monotonic()
    code = export.stack.upper()
    failed: list[Failed] = []
    stack, deployed = None, True
    try:
        stack = stacks.read_stack(export.stack, export.state())
        deployed = stack.resources > 0
    except NotDeployed:
        deployed = False
    except PulumiFailed as error:
        truncated = ", ".join(path.name for path in truncated_state.truncated_files(export.stack))
        cause = f"{truncated} was truncated while it was written" if truncated else error.cause
        failed.append(Failed("state", cause, Remedy.deploy(code) if truncated else _READABLE))
    names = (stack.names if stack else None) or named
    with ThreadPoolExecutor(max_workers=10) as side_by_side:
        engine = side_by_side.submit(_containers, names, stack, failed)
        record = side_by_side.submit(_record, stack.store if stack else None, code, failed)
        rotation = side_by_side.submit(_rotation, stack)
        keys = side_by_side.submit(_keys, stack)
        validations = {
            phase: side_by_side.submit(runner.run, checks(spec), deadline)
            for phase, spec in (stack.specs if stack else {}).items()
        }
        seen = Snapshot(
            code,
            deployed,
            stack,
            names,
            tuple(backend_locks(export.stack)),
            record.result(),
            tuple(engine.result()),
            {phase: validation.result() for phase, validation in validations.items()},
            tuple(failed),
            rotation=rotation.result(),
            keys=keys.result(),
        )
    return replace(with_connectivity(seen, deadline), seconds=time.monotonic() - started)


def with_connectivity(country: Snapshot, deadline: float) -> Snapshot:
    """Add whether packets pass between the containers, if that may be the cause of what was found.

    It costs a process in a container. An answer that remains unknown is not added: what raised the question is.
    """
    spec = country.stack.spec(Phase.DEPLOYMENT) if country.stack else None
    if not isinstance(spec, DeploymentSpec) or country.problem("engine") or not _may_follow(country):
        return country
    examined = runner.run([connectivity.check(spec)], deadline)
    if examined.verdict == Verdict.UNKNOWN:
        return country
    before = country.phases.get(Phase.INITIALIZATION, runner.Validation((), 0.0))
    both = runner.Validation((*before.findings, *examined.findings), before.seconds + examined.seconds)
    return replace(country, phases={**country.phases, Phase.INITIALIZATION: both})


def _may_follow(country: Snapshot) -> bool:
    """Return True if a finding may follow from packets that do not pass, and they have not been checked yet."""
    findings = [finding for validation in country.phases.values() for finding in validation.findings]
    current = country.record.current if country.record else None
    suspected = country.problem("record") or (current and current.state == State.FAILED)
    known = any(finding.source == connectivity.SENTENCE for finding in findings)
    return not known and (bool(suspected) or any(map(_follows, findings)))


def _follows(finding: Finding) -> bool:
    return finding.verdict == Verdict.UNKNOWN or (finding.verdict == Verdict.INVALID and finding.code in _MAY_FOLLOW)


def _record(access: DatabaseAccess | None, code: str, failed: list[Failed]) -> Overview | None:
    if access is None:
        return None
    try:
        return read_overview(access, code)
    except RecordError as error:
        failed.append(Failed("record", error.cause, error.remedy or Remedy.update()))
        return None


def _rotation(stack: StackState | None) -> ca_rotation.UnderWay | None:
    """Return the rotation that the hub's last document says is under way."""
    issued = stack.outputs.get("coalition") if stack else None
    if not stack or not issued:
        return None
    try:
        coalition = document.latest(str(issued).encode())
    except MembershipError:
        return None  # of another version, which knows its steps
    return ca_rotation.under_way(coalition, stack.spec(Phase.VERIFICATION))


def _keys(stack: StackState | None) -> Mapping[str, str] | None:
    """Return for whom a rotation of the country's keys waits; None if none is under way."""
    spec = stack.spec(Phase.VERIFICATION) if stack else None
    if not stack or not isinstance(spec, VerificationSpec):
        return None
    held = pki.private_keys(spec.sealing_key)
    if len(held) == 1:
        return None
    issued = stack.outputs.get("coalition")
    try:
        replaced = bool(issued) and document.has_two_signatures(str(issued).encode())
    except MembershipError:
        replaced = False  # of another version
    return key_rotation.waiting(spec, held[-1], str(stack.outputs["coalition_key"]) if replaced else "")


def _containers(names: Names | None, stack: StackState | None, failed: list[Failed]) -> list[ContainerState]:
    """Return the declared containers in their start order, then all others with the country's labels."""
    if names is None:
        return []
    found: list[ContainerState] = []
    deployment = stack.spec(Phase.DEPLOYMENT) if stack else None
    with _failures_of_the_engine(failed):
        engine = objects.connect()
        declared = {c.declared.name: c for c in (deployment.containers if deployment else ())}
        for name, container in declared.items():
            condition = engine.find(container.declared)
            found.append(ContainerState(container.service, name, condition, container.service_class))
        shown = {c.condition.name for c in found}
        for found_object in engine.containers():
            labels = found_object.labels
            if names.owns(labels) and found_object.name not in shown:
                condition, service = engine.observe(found_object.name), labels.get(SERVICE_LABEL, "")
                known = deployment is None  # before its first completion, a phase has no declaration that we can read
                found.append(ContainerState(service, found_object.name, condition, labels.get(CLASS_LABEL, ""), known))
    return found


@contextmanager
def _failures_of_the_engine(failed: list[Failed]) -> Iterator[None]:
    try:
        yield
    except CheckUnknown as error:
        failed.append(Failed("engine", error.found, error.remedy))
    except EngineError as error:
        failed.append(Failed("engine", error.cause, engines.unanswered(error.remedy)))
