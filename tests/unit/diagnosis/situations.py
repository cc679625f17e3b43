"""Situations of a country and what the checks find in them, for tests of status and doctor."""

import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from dive_infra.automation.backend_lock import BackendLock
from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.checks.runner import Check, Validation
from dive_infra.checks.spec import (
    DeploymentSpec,
    PartnerSpec,
    Party,
    PreflightSpec,
    Spec,
    VerificationSpec,
    fingerprint,
)
from dive_infra.cli import output
from dive_infra.cli import status as status_verb
from dive_infra.cli.exits import Exit
from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from dive_infra.diagnosis.deep_checks import CheckRun
from dive_infra.diagnosis.snapshot import ContainerState, Failed, Snapshot
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import StatusReport
from dive_infra.engines.engine import Condition
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.overview import Failure, Link, MemberReport, Overview, Recorded
from dive_infra.orchestration.records import Current, Holder
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import UP, Remedy

GOLDENS = ROOT / "tests" / "unit" / "goldens"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=130)
FRA, USA = Names(parse("FRA")), Names(parse("USA"))
STORE = DatabaseAccess("postgres.fra.dive.localhost", 5432, "orchestration", "Geheim-0815-Geheim", "CA")
SERVICES = ("postgres", "mongodb", "redis", "keycloak", "opa", "kas", "opal-client", "backend", "frontend")

_DEPLOYMENT = DeploymentSpec(FRA, (), (), "m", "r", "o")
SPECS: dict[Phase, Spec] = {
    Phase.PREFLIGHT: PreflightSpec(FRA, "fra-1", SERVICES),
    Phase.DEPLOYMENT: _DEPLOYMENT,
    Phase.VERIFICATION: VerificationSpec(Party(FRA, "p"), (PartnerSpec(USA, "key"),), _DEPLOYMENT, "CA", 200),
}
# The other phases have specifications that do not matter here.
SPECS |= {phase: PreflightSpec(FRA, phase, ()) for phase in Phase if phase not in SPECS}


def finding(sentence: str = "all is well", **how: Any) -> Finding:
    return Finding(sentence, **{"verdict": Verdict.VALID, **how})


def validation(*findings: Finding) -> Validation:
    return Validation(findings or (finding(), finding("more is well")), 0.3)


def step(phase: Phase, **how: Any) -> Recorded:
    known = Recorded(
        phase, Status.COMPLETED, fingerprint(SPECS[phase]), NOON, "9 containers", "r1", "", 125.0, "ada@host", 0.3
    )
    return replace(known, **how)


def record(**how: Any) -> Overview:
    links = (
        Link("FRA", "USA", "fra-idp", "ACTIVE", "", 1.2, 130.0),
        Link("USA", "FRA", "usa-idp", "ACTIVE", "", 1.4, 130.0),
    )
    current = Current(State.COMPLETE, State.VERIFYING, NOON, "VERIFICATION is proven", "r1")
    known = Overview(
        NOON, current, 124.0, None, {p: step(p) for p in Phase}, links, (), (MemberReport("USA", "COMPLETE", 45.0),)
    )
    return replace(known, **how)


def stack(**how: Any) -> StackState:
    checkpoints = {p: CheckpointState(p, NOON.isoformat(), "9 containers", SPECS[p]) for p in Phase}
    return replace(StackState("fra", 174, NOON, checkpoints, (), STORE, "fra-1", "v3.250.0"), **how)


def containers(**conditions: Condition) -> tuple[ContainerState, ...]:
    well = Condition(True, running=True, health="healthy")
    core = {"opal-client": "optional"}
    return tuple(
        ContainerState(s, FRA.container(s), conditions.get(s.replace("-", "_"), well), core.get(s, "core"))
        for s in SERVICES
    )


def country(**how: Any) -> Snapshot:
    known = Snapshot(
        "FRA", True, stack(), FRA, (), record(), containers(), {p: validation() for p in Phase}, (), 1.42, LATER
    )
    return replace(known, **how)


STOPPED = finding(
    "dive-fra-opa runs as declared, healthy",
    verdict=Verdict.INVALID,
    expected="running, healthy",
    found="stopped (exit code 137), out of memory",
    remedy=Remedy.update(),
    code=1202,
    subject="dive-fra-opa",
)
BLIND = finding(
    "realm dive-v3-broker-fra is as declared",
    verdict=Verdict.UNKNOWN,
    found="https://idp.fra.dive.localhost:8453 is out of reach: [Errno 111] Connection refused",
    remedy=Remedy.update(detail="starts Keycloak, then the realm is looked at"),
    code=1501,
)
MISSING = finding(
    "identity provider usa-idp exists",
    verdict=Verdict.INVALID,
    found="missing",
    remedy=Remedy.refresh(),
    code=1301,
    subject="identity provider usa-idp",
)
UNDECLARED = finding(
    "client stranger is declared",
    verdict=Verdict.INVALID,
    found="found but not declared",
    remedy=Remedy.decide(f"remove it by hand, or: DIVE_REMOVE=client/stranger {UP}", country="FRA"),
    code=1305,
    subject="client stranger",
    undeclared=True,
)


def holder(live: bool) -> Holder:
    return Holder(7, "r2", "ada@host", "host", 4711, "SEEDING", NOON - timedelta(seconds=42), live)


LOST = Failed(
    "record",
    "the orchestration database does not answer at orchestration@postgres.fra",
    Remedy.update(detail="starts it"),
)

_CAUSE = STOPPED.statement

# name -> (what was seen, first axis, second axis, exit code)
CASES: dict[str, tuple[Snapshot, str, str, Exit]] = {
    "well": (country(), "COMPLETE", "healthy", Exit.OK),
    "not-deployed": (Snapshot("FRA", False), "NOT_DEPLOYED", "none", Exit.FINDINGS),
    "stopped": (
        country(
            containers=containers(opa=Condition(True, exit_code=137, out_of_memory=True, restarts=3)),
            phases={p: validation(*([STOPPED, finding()] if p == Phase.DEPLOYMENT else [])) for p in Phase},
        ),
        "COMPLETE",
        "unhealthy",
        Exit.FINDINGS,
    ),
    "blind": (
        country(phases={p: validation(*([BLIND] if p == Phase.CONFIGURATION else [])) for p in Phase}),
        "COMPLETE",
        "unknown",
        Exit.UNKNOWN,
    ),
    "running": (country(record=record(holder=holder(live=True))), "RUNNING", "healthy", Exit.LOCKED),
    "interrupted": (
        country(record=record(holder=holder(live=False)), stack=stack(pending=("creating opa",))),
        "INTERRUPTED",
        "healthy",
        Exit.FINDINGS,
    ),
    "dead-lock": (
        country(updates=(BackendLock("ada", "host", 4711, NOON, False),)),
        "INTERRUPTED",
        "healthy",
        Exit.FINDINGS,
    ),
    "failed": (
        country(
            record=record(
                current=Current(State.FAILED, State.DEPLOYING, NOON, "DEPLOYMENT is not valid", "r2"),
                holder=holder(live=False),  # of the same run: it failed, and then ended with its lock
                failures=(Failure("1202", "DEPLOYMENT", _CAUSE, NOON, "r2", 60.0),),
            )
        ),
        "FAILED",
        "healthy",
        Exit.FINDINGS,
    ),
    "failed-still": (
        country(
            record=record(
                current=Current(State.FAILED, State.DEPLOYING, NOON, "DEPLOYMENT is not valid", "r2"),
                failures=(Failure("1202", "DEPLOYMENT", _CAUSE, NOON, "r2", 60.0),),
                steps={
                    p: step(p, status=Status.FAILED if p == Phase.VERIFICATION else Status.COMPLETED) for p in Phase
                },
            ),
            phases={p: validation(*([STOPPED, finding()] if p == Phase.DEPLOYMENT else [])) for p in Phase},
        ),
        "FAILED",
        "unhealthy",
        Exit.FINDINGS,
    ),
    "undeclared": (
        country(phases={p: validation(*([finding(), UNDECLARED] if p == Phase.CONFIGURATION else [])) for p in Phase}),
        "COMPLETE",
        "degraded",
        Exit.FINDINGS,
    ),
    "partial": (
        country(record=record(current=Current(State.PARTIAL, State.CONFIGURING, NOON, "the hub is away", "r2"))),
        "PARTIAL",
        "healthy",
        Exit.PARTIAL,
    ),
    "no-record": (country(record=None, failed=(LOST,)), "UNKNOWN", "healthy", Exit.UNKNOWN),
    "disagreeing": (
        country(record=record(steps={p: step(p) for p in Phase if p != Phase.SEEDING})),
        "COMPLETE",
        "healthy",
        Exit.FINDINGS,
    ),
    "links": (
        country(
            record=record(links=()),
            phases={p: validation(*([MISSING] if p == Phase.CONFIGURATION else [])) for p in Phase},
        ),
        "COMPLETE",
        "unhealthy",
        Exit.FINDINGS,
    ),
    "warned": (
        country(
            phases={p: validation(*([replace(STOPPED, advisory=True)] if p == Phase.DEPLOYMENT else [])) for p in Phase}
        ),
        "COMPLETE",
        "degraded",
        Exit.FINDINGS,
    ),
}


def report(*names: str) -> StatusReport:
    found = [judge(CASES[name][0]) for name in names]
    return StatusReport(at=NOON, seconds=1.5, exit_code=status_verb.outcome(found[0]), countries=found)


def drawn(what: Any, width: int, encoding: str = "utf-8", colours: bool = False) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=file,
        width=width,
        highlight=False,
        emoji=False,
        force_terminal=colours,
        color_system="standard" if colours else None,
    )
    output.show(what(console), console)
    file.flush()
    return raw.getvalue().decode(encoding)


def held(name: str, text: str) -> None:
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("REGENERATE"):
        path.write_text(text)
    assert text == path.read_text()


def examined(sentence: str, topic: str, *findings: Finding) -> CheckRun:
    return CheckRun(Check(sentence, topic, str), validation(*findings))
