"""The deep checks of `./dive doctor`: all validators, and the machine, the state and the record around a deployment.

Checks are data: a group is a title with its checks. All of them run side by side, each bounded in time.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dive_infra.automation.backend_lock import backend_locks
from dive_infra.automation.pulumi_cli import PulumiFailed
from dive_infra.automation.stack_state import StackState, read_stack
from dive_infra.automation.state_export import Export, NotDeployed
from dive_infra.automation.workspace import pulumi_home
from dive_infra.checks import connectivity, deployed_names, preflight, runner
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown, Validation
from dive_infra.checks.spec import VerificationSpec, fingerprint
from dive_infra.config import json_file
from dive_infra.config.json_file import BrokenFile
from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings
from dive_infra.diagnosis.served_certificates import served
from dive_infra.diagnosis.snapshot import deep_checks
from dive_infra.orchestration.access import RecordError
from dive_infra.orchestration.overview import Overview, read_overview
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.results.codes import Code
from dive_infra.results.errors import DiveError
from dive_infra.results.remedy import UP, Remedy
from dive_infra.results.text import day, first_line
from dive_infra.toolchain import toolchain

DEADLINE = 20.0  # seconds for a check, a login included
_SKEW = 2.0  # seconds between the clocks of this machine and of the database
_MEMORY, _DISK = 4, 5  # GiB, as PREFLIGHT asks

Declared = Callable[[], Settings]  # returns the settings of the country's stack file; raises why they are refused


@dataclass(frozen=True)
class CheckRun:
    """A check and its findings."""

    check: Check
    validation: Validation


@dataclass(frozen=True)
class Group:
    title: str
    checks: tuple[Check, ...]


@dataclass
class _Known:
    """What several checks need, read once."""

    stack: StackState | None
    record: "Future[Overview]"

    def overview(self) -> Overview:
        try:
            return self.record.result()
        except RecordError as error:
            raise CheckUnknown(error.cause, error.remedy or Remedy.update()) from None


def run_checks(export: Export, declared: Declared, deadline: float = DEADLINE) -> dict[str, list[CheckRun]]:
    """Run all groups; return each title with its checks and their findings, in order."""
    try:
        stack: StackState | None = read_stack(export.stack, export.state())
        problem: DiveError | None = None
    except (NotDeployed, PulumiFailed) as error:
        stack, problem = None, error
    with ThreadPoolExecutor(max_workers=64) as side_by_side:
        record = side_by_side.submit(_overview, stack, export.stack)
        groups = _groups(export.stack, _Known(stack, record), problem, declared)
        running = {
            g.title: [(c, side_by_side.submit(runner.run, [c], deadline)) for c in g.checks] for g in groups if g.checks
        }
        return {title: [CheckRun(c, f.result()) for c, f in checks] for title, checks in running.items()}


def _overview(stack: StackState | None, name: str) -> Overview:
    if stack is None or stack.store is None:
        raise RecordError(f"the state of {name} holds no login at the record", Remedy.update(name.upper()))
    return read_overview(stack.store, name)


def _groups(name: str, known: _Known, problem: DiveError | None, declared: Declared) -> Iterator[Group]:
    code, stack = name.upper(), known.stack
    yield Group("MACHINE", tuple(_machine(stack)))
    yield Group("STATE", tuple(_state(name, stack, problem, declared)))
    if stack is None:
        return
    yield Group("RECORD", tuple(_record(code, known)))
    for phase in Phase:
        spec = stack.spec(phase)
        checks = deep_checks(spec) if spec else [_unproven(stack, phase)]
        if isinstance(spec, VerificationSpec):
            sentence = "the verification report was written for this deployment"
            checks.append(Check(sentence, "report", partial(_report, spec), advisory=True))  # no decision depends on it
        if phase == Phase.INITIALIZATION and spec and Phase.DEPLOYMENT in stack.specs:
            checks.append(connectivity.check(stack.spec(Phase.DEPLOYMENT)))
            checks += [Check(*row) for row in served(spec)]
        yield Group(phase, tuple(checks))


# This machine.


def _machine(stack: StackState | None) -> Iterator[Check]:
    yield Check("Pulumi is installed in a supported version", "pulumi", _pulumi)
    yield Check("Pulumi's plugins are installed in the required versions", "plugins", _plugins)
    if not (stack and Phase.PREFLIGHT in stack.specs):  # else PREFLIGHT checks it
        yield Check(preflight.REACHED, "endpoint", preflight.endpoint)
        yield Check("the Docker engine answers and has enough memory", "engine", lambda: preflight.memory(_MEMORY))
        yield Check("the engine's disk has enough space", "disk", lambda: preflight.disk(_DISK))


def _pulumi() -> str:
    reasons: list[str] = []
    found = toolchain.find(None, reasons.append)
    if found is None:
        least = ".".join(map(str, toolchain.SUPPORTED[0]))
        raise CheckFailed(
            "; ".join(reasons) or "not installed", f"{least} or newer", Remedy.run("./dive env"), Code.PULUMI
        )
    return f"{found.source}, {found.pulumi}"


def _plugins() -> str:
    missing = [
        f"{name} {version}"
        for name, version in toolchain.PLUGINS.items()
        if not (pulumi_home() / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}").exists()
    ]
    if missing:
        raise CheckFailed(
            f"{', '.join(missing)} missing", f"{len(toolchain.PLUGINS)} plugins", Remedy.run("./dive env"), Code.PULUMI
        )
    return ", ".join(f"{name} {version}" for name, version in toolchain.PLUGINS.items())


# The stack's state and its file.


def _state(name: str, stack: StackState | None, problem: DiveError | None, declared: Declared) -> Iterator[Check]:
    yield Check(f"the state of stack {name} can be read", "state", lambda: _readable(name, stack, problem))
    yield Check(f"Pulumi.{name}.yaml is accepted", "settings", lambda: _accepted(name, declared))
    yield Check("no update is running, and none left its lock", "pulumi lock", lambda: _unlocked(name))
    if stack:
        yield Check("no operation is pending", "pending", lambda: _settled(stack))
        yield Check("the stack file matches what is deployed", "namespace", lambda: _same(name, stack, declared))


def _readable(name: str, stack: StackState | None, problem: DiveError | None) -> str:
    up = Remedy.update(name.upper())
    if isinstance(problem, NotDeployed):
        raise CheckFailed("the stack does not exist", "a deployed one", up)
    if problem:
        raise CheckUnknown(
            problem.cause,
            Remedy.decide(f"set the passphrase that it was created with: ./dive explain 1004; or: {UP}"),
        )
    assert stack is not None  # the stack or the problem
    if not stack.resources:
        raise CheckFailed("it is empty", "a deployed country", up)
    for checkpoint in stack.checkpoints.values():
        if checkpoint.unreadable:
            raise CheckFailed(checkpoint.unreadable, "declarations of this version", up, Code.DECLARATION_UNREADABLE)
    updated = f", last updated at {day(stack.updated)}" if stack.updated else ""
    return f"{stack.resources} resources{updated} by Pulumi {stack.program}"


def _accepted(name: str, declared: Declared) -> str:
    try:
        settings = declared()
    except ValueError as error:  # every refused setting raises one
        raise CheckFailed(
            " ".join(str(error).split()),
            "valid settings",
            Remedy.decide(f"fix Pulumi.{name}.yaml"),
            Code.SETTING,
        ) from None
    return f"country {settings.country}, namespace {settings.namespace}"


def _same(name: str, stack: StackState, declared: Declared) -> str:
    deployed = stack.names
    if deployed is None:
        raise CheckUnknown("no phase is complete yet", Remedy.update(stack.code))
    try:
        wanted = declared().names
    except ValueError:
        raise CheckUnknown("the stack file is refused", Remedy.decide(f"fix Pulumi.{name}.yaml")) from None
    deployed_names.keep(deployed, wanted)
    return f"namespace {deployed.namespace}"


def _unlocked(name: str) -> str:
    held = backend_locks(name)
    for update in held:
        if update.live is False:
            raise CheckFailed(
                f"left behind by {update}, which is dead",
                "no lock",
                Remedy.run(f"pulumi cancel -s {name} --yes"),
                Code.INTERRUPTED,
            )
    if held:
        raise CheckFailed(
            f"{held[0]} runs an update",
            "no update",
            Remedy.wait(f"wait for it to end, then: ./dive doctor {name.upper()}"),
            Code.CONFLICT,
        )
    return "free"


def _settled(stack: StackState) -> str:
    if stack.pending:
        raise CheckFailed(", ".join(stack.pending), "none", Remedy.update(stack.code), Code.INTERRUPTED)
    return "none"


# The record.


def _record(code: str, known: _Known) -> Iterator[Check]:
    up = Remedy.update(code)
    yield Check("the record answers the country's own login", "record", lambda: _answers(known))
    yield Check("the record says COMPLETE", "state", lambda: _complete(known, up))
    yield Check("the record has every phase as deployed", "phases", lambda: _phases(known, up))
    yield Check("the country's lock is free", "lock", lambda: _free(known, up))
    yield Check("the database's clock agrees with this machine's", "clock", lambda: _clock(known))


def _answers(known: _Known) -> str:
    known.overview()
    return str(known.stack.store) if known.stack else ""


def _complete(known: _Known, up: Remedy) -> str:
    found = known.overview()
    state = found.current.state if found.current else State.UNKNOWN
    if state != State.COMPLETE:
        failure = next(iter(found.failures), None)
        cause = first_line(failure.message) if failure else found.current.reason if found.current else ""
        raise CheckFailed(f"{state}{f', {cause}' if cause else ''}", State.COMPLETE, up, Code.INTERRUPTED)
    return f"since {day(found.current.changed_at)}" if found.current else ""


def _phases(known: _Known, up: Remedy) -> str:
    record, stack = known.overview(), known.stack
    for phase, spec in (stack.specs if stack else {}).items():
        step = record.steps.get(phase)
        if step is None or step.status != Status.COMPLETED:
            raise CheckFailed(
                f"{phase} is {step.status if step else 'not recorded'}", Status.COMPLETED, up, Code.RECORD_MISMATCH
            )
        if step.fingerprint != fingerprint(spec):
            raise CheckFailed(
                f"{phase} was proven for another declaration", "the deployed one", up, Code.RECORD_MISMATCH
            )
    return f"{len(record.steps)} phases"


def _free(known: _Known, up: Remedy) -> str:
    holder = known.overview().holder
    if holder and holder.live:
        raise CheckFailed(f"{holder} is deploying it", "no run", Remedy.wait("wait for it to end"), Code.CONFLICT)
    if holder:
        raise CheckFailed(f"left behind by {holder}", "released", up, Code.INTERRUPTED)
    return "free"


def _clock(known: _Known) -> str:
    before = time.time()
    assert known.stack is not None  # the record group needs one
    assert known.stack.store is not None
    try:
        database = read_overview(known.stack.store, known.stack.name).now.timestamp()
    except RecordError as error:
        raise CheckUnknown(error.cause, Remedy.update()) from None
    after = time.time()
    off = max(before - database, database - after, 0.0)
    if off > _SKEW:
        raise CheckFailed(
            f"{off:.1f} s apart", f"at most {_SKEW:g} s", Remedy.decide("set the clock, for instance by NTP")
        )
    return f"{off:.1f} s apart"


# The phases.


def _unproven(stack: StackState, phase: Phase) -> Check:
    def probe() -> str:
        if phase in stack.checkpoints:
            raise CheckUnknown(stack.checkpoints[phase].unreadable, Remedy.update(stack.code))
        raise CheckFailed("never completed", Status.COMPLETED, Remedy.update(stack.code), Code.INTERRUPTED)

    return Check(f"{phase} is completed", "phase", probe)


def _report(spec: VerificationSpec) -> str:
    path, up = ROOT / spec.report, Remedy.update()
    if not path.exists():
        raise CheckUnknown(
            f"{spec.report} is not in this checkout",
            Remedy.update(detail=f"it was written by another checkout, or run: {UP}"),
        )
    return _of(path, spec, up)


def _of(path: Path, spec: VerificationSpec, up: Remedy) -> str:
    try:
        report = json_file.read(path)
        found = (str(report["instance"]), str(report["fingerprint"]), str(report["status"]))
        at = report["timestamp"]
    except (BrokenFile, KeyError):
        raise CheckFailed(f"{path.name} is not complete", "a verification report", up, Code.LOCAL_FILE) from None
    wanted = (spec.own.names.country.code, fingerprint(spec), "success")
    if found != wanted:
        raise CheckFailed(f"{path.name} was written for {', '.join(found)}", ", ".join(wanted), up, Code.LOCAL_FILE)
    return f"{path.name}, from {at}"
