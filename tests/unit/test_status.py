"""How a country is judged and shown: two axes, each problem with its command, at 80 and 120 columns.

`REGENERATE=1 pytest tests/unit/test_status.py` writes the pictures anew.
"""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console
from typer.testing import CliRunner

from dive_infra.automation.backend_lock import BackendLock
from dive_infra.automation.stack_state import CheckpointState, StackState
from dive_infra.checks.runner import Check, Validation
from dive_infra.checks.spec import DeploymentSpec, Party, PreflightSpec, Spec, VerificationSpec, fingerprint
from dive_infra.cli import doctor as doctor_verb
from dive_infra.cli import environment, output, status_table
from dive_infra.cli import status as status_verb
from dive_infra.cli.__main__ import app
from dive_infra.cli.exits import Exit
from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, parse
from dive_infra.config.naming import Names
from dive_infra.config.paths import ROOT
from dive_infra.diagnosis.deep_checks import CheckRun
from dive_infra.diagnosis.doctor_report import patient_report
from dive_infra.diagnosis.history import HistoryReport
from dive_infra.diagnosis.snapshot import ContainerState, Failed, Snapshot
from dive_infra.diagnosis.status import judge
from dive_infra.diagnosis.status_report import DoctorReport, StatusReport, json_schema
from dive_infra.engines.engine import Condition
from dive_infra.orchestration.access import DatabaseAccess
from dive_infra.orchestration.overview import Failure, Link, Overview, Recorded
from dive_infra.orchestration.records import Current, Holder
from dive_infra.orchestration.states import Phase, State, Status
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import UP, Remedy

GOLDENS = Path(__file__).parent / "goldens"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=130)
FRA, USA = Names(parse("FRA")), Names(parse("USA"))
STORE = DatabaseAccess("postgres.usa.dive.localhost", 5432, "orchestration_fra", "Geheim-0815-Geheim", "CA")
SERVICES = ("postgres", "mongodb", "redis", "keycloak", "opa", "kas", "opal-client", "backend", "frontend")

_DEPLOYMENT = DeploymentSpec(FRA, (), (), "m", "r", "o")
SPECS: dict[Phase, Spec] = {
    Phase.PREFLIGHT: PreflightSpec(FRA, "fra-1", SERVICES),
    Phase.DEPLOYMENT: _DEPLOYMENT,
    Phase.VERIFICATION: VerificationSpec(Party(FRA, "p"), (Party(USA, "p"),), _DEPLOYMENT, "CA", 200),
}
# The other phases are of specifications that matter to nobody here.
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
    known = Overview(NOON, current, 124.0, None, {p: step(p) for p in Phase}, links, ())
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
    "the orchestration database does not answer at orchestration_fra@postgres.usa",
    Remedy.update("USA", "starts it"),
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


@pytest.mark.parametrize("name", CASES)
def test_both_axes_and_the_exit_code(name: str) -> None:
    seen, state, health, code = CASES[name]
    judged = judge(seen)
    assert (judged.deployment.state, judged.health, status_verb.outcome(judged)) == (state, health, code)


@pytest.mark.parametrize("name", CASES)
def test_every_problem_has_a_cause_and_an_exact_command(name: str) -> None:
    for problem in judge(CASES[name][0]).problems:
        assert problem.found
        assert problem.next.startswith(
            (
                "./dive up FRA",
                "./dive up USA",
                "./dive doctor FRA",
                "pulumi cancel -s fra --yes",
                "remove it by hand, or: ",
            )
        )


@pytest.mark.parametrize("name", CASES)
def test_a_row_has_one_verdict_and_a_problem_one_sentence_and_one_next_command(name: str) -> None:
    text = drawn(lambda console: status_table.table(report(name), console), 200)
    for line in text.splitlines():
        assert not ("✓" in line and "failed" in line.lower())
        assert line.count("next:") + line.count("✗") + line.count("; expected") <= 2
    assert text.count("next: ") == len({line for line in text.splitlines() if line.strip().startswith("next: ")})


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", CASES)
def test_the_table_looks_so(name: str, width: int) -> None:
    text = drawn(lambda console: status_table.table(report(name), console), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    held(f"status-{name}-{width}", text)


def test_marks_are_ascii_where_there_are_no_others() -> None:
    text = drawn(lambda console: status_table.table(report("stopped", "links"), console), 120, "ascii")
    assert " ok PREFLIGHT" in text
    assert " xx " in text
    assert "?" not in text, "no sign was lost"


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(console: Console) -> Any:
        return status_table.table(report("stopped"), console)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in drawn(table, 120, colours=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in drawn(table, 120, colours=True)


def examined(sentence: str, topic: str, *findings: Finding) -> CheckRun:
    return CheckRun(Check(sentence, topic, str), validation(*findings))


def patient() -> DoctorReport:
    realm, pulumi = "realm dive-v3-broker-fra is as declared", "Pulumi is there, in a supported version"
    objects = [finding(f"client {name} is as declared", topic="realm objects") for name in "abc"]
    groups = {
        "MACHINE": [examined(pulumi, "pulumi", finding(pulumi, found="built", seconds=0.1))],
        "CONFIGURATION": [
            examined(realm, "realm objects", *objects),
            examined(realm, "realm objects", MISSING, finding()),
            examined("the users are as declared", "users", BLIND, replace(BLIND, check="another")),
        ],
        "VERIFICATION": [examined("the report is there", "report", replace(STOPPED, advisory=True, seconds=1.25))],
    }
    found = patient_report("FRA", groups)
    return DoctorReport(at=NOON, seconds=2.5, exit_code=doctor_verb.outcome(found), countries=[found])


@pytest.mark.parametrize("width", [80, 120])
def test_the_doctors_table_looks_so(width: int) -> None:
    text = drawn(lambda console: doctor_verb.table(patient(), console), width)
    assert max(map(len, text.splitlines())) <= width
    held(f"doctor-{width}", text)


def test_the_doctor_tells_what_holds_once_and_what_does_not_each() -> None:
    whole = patient_report(
        "FRA", {"A": [CheckRun(Check("s", "t", str), validation(finding("one"), finding("two")))]}, verbose=True
    )
    assert [c.check for c in whole.groups[0].checks] == ["one", "two"]
    (group,) = (g for g in patient().countries[0].groups if g.title == "CONFIGURATION")
    assert [(c.answer, c.findings) for c in group.checks] == [("valid", 3), ("invalid", 1), ("unknown", 2)]
    assert group.checks[0].found == "3 realm objects"


MODELS = {
    "status": (StatusReport, "DIVE status", report("well", "interrupted", "no-record")),
    "doctor": (DoctorReport, "DIVE doctor", patient()),
    "history": (HistoryReport, "DIVE history", HistoryReport(code="FRA", runs=[], recorded=True)),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_printed_as_json_is_what_its_schema_says(name: str) -> None:
    model, title, made = MODELS[name]
    path = ROOT / "schemas" / f"{name}.json"
    if os.environ.get("REGENERATE"):
        path.write_text(json.dumps(json_schema(model, title), indent=2) + "\n")
    schema = json.loads(path.read_text())
    assert schema == json_schema(model, title)
    jsonschema.Draft202012Validator(schema).validate(json.loads(made.model_dump_json()))
    assert STORE.password not in made.model_dump_json()


# The verbs themselves.


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A coalition of two stack files whose France is stopped."""
    for name in ("usa", "fra"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    monkeypatch.setattr(status_verb, "prepare_to_read", lambda: None)
    monkeypatch.setattr(status_verb, "Export", str)
    monkeypatch.setattr(status_verb, "observe", lambda _, deadline: CASES["stopped"][0])


@pytest.mark.usefixtures("looked_at")
def test_the_verb_ends_with_what_was_found_and_prints_nothing_but_json() -> None:
    result = CliRunner().invoke(app, ["status", "FRA", "--json"])
    assert result.exit_code == json.loads(result.stdout)["exit_code"] == 1
    shown = CliRunner().invoke(app, ["status", "FRA"])
    assert (shown.exit_code, "next: ./dive up FRA" in shown.stdout, "\x1b" in shown.stdout) == (1, True, False)
    both = json.loads(CliRunner().invoke(app, ["status", "--all", "--json"]).stdout)
    assert len(both["countries"]) == 2


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["FRX"], "did you mean FRA?"),
        (["FRA", "--all"], "exclude each other"),
        (["--watch", "--json"], "leave one out"),
    ],
)
def test_wrong_use_says_what_to_do(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["status", *arguments])
    assert result.exit_code == Exit.UNKNOWN
    assert told in result.stderr


@pytest.mark.usefixtures("looked_at")
def test_watching_ends_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status_verb.time, "sleep", interrupt)
    result = CliRunner().invoke(app, ["status", "FRA", "--watch"])
    assert result.exit_code == Exit.INTERRUPTED
    assert "next: ./dive up FRA" in result.stdout


def test_a_machine_without_pulumi_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.toolchain, "find", lambda *_: None)
    result = CliRunner().invoke(app, ["status", "FRA"])
    assert result.exit_code == Exit.UNKNOWN
    assert "next: ./dive env" in result.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("./dive status F", "FRA"),
        ("./dive doctor U", "USA"),
        ("./dive explain 1301", "1301"),
        ("./dive hist", "history"),
    ],
)
def test_the_shell_completes_codes_and_verbs(typed: str, offered: str) -> None:
    variables = {"_DIVE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    result = CliRunner().invoke(app, [], prog_name="dive", env=variables)
    assert result.stdout.split() == [offered]


def test_the_launched_command_answers_the_shell() -> None:
    variables = {"_DIVE_COMPLETE": "complete_bash", "COMP_WORDS": "./dive explain 1301", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "dive_infra.cli.start"]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["1301"]


# Many countries on one screen.


def coalition(count: int) -> StatusReport:
    """Return a report on this many countries: all well but those of `CASES` which come first."""
    chosen = ("stopped", "interrupted", "blind", "no-record", "not-deployed", "undeclared", "running")
    codes = list(COUNTRIES)[:count]
    seen = [judge(CASES[name][0]) for name in (*chosen, *["well"] * (count - len(chosen)))]
    found = [
        c.model_copy(update={"code": code, "name": COUNTRIES[code].name}) for c, code in zip(seen, codes, strict=True)
    ]
    return StatusReport(at=NOON, seconds=1.5, exit_code=1, countries=found)


@pytest.mark.parametrize("width", [80, 120])
def test_a_whole_coalition_fits_one_screen_with_a_line_for_each_country(width: int) -> None:
    text = drawn(lambda console: status_table.short_table(coalition(31), console), width)
    lines = text.splitlines()
    assert len(lines) == 32
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("31 countries, 6 with problems; details: ./dive status ")
    held(f"status-short-{width}", text)


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(
    ("arguments", "rows"),
    [(["FRA", "--short"], 2), (["--all"], 2 * 13 + 1), (["--all", "--short"], 3)],
    ids=["asked for", "few countries", "few countries, asked for"],
)
def test_few_countries_have_all_details_unless_one_line_is_asked_for(arguments: list[str], rows: int) -> None:
    assert len(CliRunner().invoke(app, ["status", *arguments]).stdout.splitlines()) == rows


@pytest.mark.usefixtures("looked_at")
def test_many_countries_have_one_line_each_by_default(tmp_path: Path) -> None:
    for code in list(COUNTRIES)[:8]:
        (tmp_path / f"Pulumi.{code.lower()}.yaml").write_text("config: {}\n")
    count = len(list(tmp_path.glob("Pulumi.*.yaml")))
    assert len(CliRunner().invoke(app, ["status"]).stdout.splitlines()) == count + 1
    assert len(CliRunner().invoke(app, ["status", "--long"]).stdout.splitlines()) > 8 * count


@pytest.mark.parametrize("width", [80, 120])
def test_the_doctor_shows_only_what_failed_when_asked(width: int) -> None:
    text = drawn(lambda console: doctor_verb.table(patient(), console, failed=True), width)
    assert "✓" not in text
    assert "MACHINE" not in text
    assert text.splitlines()[-1].startswith("8 checks in 2.5 s: 1 wrong")
    held(f"doctor-failed-{width}", text)
