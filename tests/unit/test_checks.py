"""Findings, the runner, specifications, states and the report: what needs neither an engine nor a database."""

import json
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dive_infra.catalog.spec import FILES, HealthCheck
from dive_infra.checks import deployment, initialization, objects, preflight, report, runner, verification
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.checks.spec import (
    ConfigurationSpec,
    ContainerSpec,
    DatabaseSpec,
    DeploymentSpec,
    InitializationSpec,
    Party,
    PreflightSpec,
    SeedingSpec,
    Spec,
    Unreadable,
    VerificationSpec,
    dump,
    fingerprint,
    load,
    phase_of,
)
from dive_infra.checks.verification import cases
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.dynamic.checkpoint import DUE
from dive_infra.dynamic.report import ReportProvider
from dive_infra.dynamic.verification import VerificationProvider
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import Condition, Difference, EngineObject
from dive_infra.identity.browser import LoginFailed
from dive_infra.orchestration.access import DatabaseAccess, TransitionRefused, deployer
from dive_infra.orchestration.records import Proof
from dive_infra.orchestration.states import REACHED, TRANSITIONS, Phase, State, check, walk
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict, evidence, listing, overall
from dive_infra.results.remedy import Remedy
from dive_infra.results.text import age, ago

FRANCE, USA = Names(COUNTRIES["FRA"], "t-unit", ports={"FRA": {"opa": 9999}}), Names(HUB, "t-unit")
SECRET = "canary-of-a-secret"
ACCESS = DatabaseAccess("postgres.usa", 5432, deployer("FRA"), SECRET, "CA")
OPA = Declared("t-unit-fra-opa", "1:1", HealthCheck(("true",)), "sha256:1", ports=(9999,), labels={"dive.stack": "fra"})
DEPLOYMENT = DeploymentSpec(
    FRANCE,
    (ContainerSpec("opa", "core", OPA, "f1"),),
    (DatabaseSpec("portal", "portal", SECRET),),
    SECRET,
    SECRET,
    SECRET,
    "CA",
    ACCESS,
)
SPECS: tuple[Spec, ...] = (
    PreflightSpec(FRANCE, "fra", ("opa",), "CA", USA, ACCESS, disk=5),
    InitializationSpec(FRANCE, "fra", ("n",), ("v",), ("sha256:1",), "PEM", ("a.fra",), "CA"),
    DEPLOYMENT,
    ConfigurationSpec(FRANCE, (USA,), "CA", SECRET, SECRET, {"dive-link-fra": SECRET}),
    SeedingSpec(FRANCE, USA, (USA,), 200, {"FRA": "PEM"}, "CA", SECRET, SECRET),
    VerificationSpec(Party(FRANCE, SECRET), (Party(USA, SECRET),), DEPLOYMENT, "CA", 200),
)


def found(*answers: Verdict) -> list[Finding]:
    return [Finding(f"check {n}", answer) for n, answer in enumerate(answers)]


# Findings


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("valid", "valid"), "valid"),
        (("valid", "unknown"), "unknown"),
        (("valid", "unknown", "invalid"), "invalid"),
        ((), "unknown"),  # nothing looked at is nothing known
    ],
)
def test_there_are_three_verdicts(answers: Sequence[Verdict], told: Verdict) -> None:
    assert overall(found(*answers)) == told


def test_an_advisory_finding_is_shown_and_decides_nothing() -> None:
    findings = [
        *found("valid"),
        Finding("the portal is up", Verdict.INVALID, "up", "down", Remedy.update(), advisory=True),
    ]
    assert overall(findings) == "valid"
    assert listing(findings, "invalid") == "  ‼ not so: the portal is up; found down; expected up; next: pulumi up"


@pytest.mark.parametrize(
    ("finding", "shown"),
    [
        (Finding("opa runs, healthy", Verdict.VALID, found="running"), "✓ opa runs, healthy: running"),
        (
            Finding(
                "opa runs", Verdict.INVALID, "running", "stopped", Remedy.update(), subject="opa", topic="containers"
            ),
            "✗ opa: stopped; expected running; next: pulumi up",
        ),
        (
            Finding("the disk has room", Verdict.INVALID, "5 GiB", "3 GiB", topic="disk"),
            "✗ disk: 3 GiB; expected 5 GiB",
        ),
        (Finding("the disk has room", Verdict.INVALID, topic="disk"), "✗ not so: the disk has room"),
        (
            Finding("Redis answers", Verdict.UNKNOWN, "a login", "timed out", topic="redis"),
            "? could not check that Redis answers: timed out",
        ),
    ],
    ids=["what holds", "a named subject", "the topic", "nothing found", "could not be checked"],
)
def test_a_failed_check_is_titled_by_what_is_wrong(finding: Finding, shown: str) -> None:
    assert str(finding) == shown


def test_a_long_list_is_cut_with_its_count() -> None:
    assert listing(found(*["invalid"] * 30), "invalid").endswith("… and 18 more")


def test_evidence_counts_by_topic() -> None:
    findings = [
        Finding("a", Verdict.VALID, topic="containers"),
        Finding("b", Verdict.VALID, topic="containers"),
        *found("valid"),
    ]
    assert evidence(findings, 0.314) == "2 containers, check 0; 0.31 s"


# Runner


def _wrong() -> str:
    raise CheckFailed("3", "4", Remedy.decide("count again"), Code.IMAGE)


def _dark() -> str:
    raise CheckUnknown("no light")


def _broken() -> str:
    raise KeyError("oops")


def test_checks_run_side_by_side_and_in_order() -> None:
    together = threading.Barrier(4, timeout=5)

    def look() -> str:
        together.wait()
        return "seen"

    validation = runner.run([Check(f"check {n}", "t", look) for n in range(4)], 10)
    assert [f.check for f in validation.findings] == [f"check {n}" for n in range(4)]
    assert validation.verdict == "valid"


def test_an_error_is_never_an_answer() -> None:
    checks = [Check("a", "t", _wrong), Check("b", "t", _dark), Check("c", "t", _broken), Check("d", "t", list)]
    findings = runner.run(checks, 5).findings
    assert [(f.verdict, f.found) for f in findings] == [
        ("invalid", "3"),
        ("unknown", "no light"),
        ("unknown", "KeyError: 'oops'"),
    ]
    assert findings[0].code == Code.IMAGE


def test_a_check_that_hangs_is_unknown_at_the_deadline() -> None:
    never = threading.Event()
    started = time.monotonic()
    validation = runner.run([Check("slow", "t", lambda: str(never.wait(30))), Check("quick", "t", lambda: "ok")], 0.3)
    never.set()
    assert time.monotonic() - started < 2
    assert [f.verdict for f in validation.findings] == ["unknown", "valid"]
    assert "no answer within 0.3 s" in validation.findings[0].found


def test_what_settles_is_asked_again_and_what_is_well_is_not() -> None:
    asked = {"late": 0, "well": 0}

    def late() -> str:
        asked["late"] += 1
        if asked["late"] < 3:
            raise CheckFailed("not yet")
        return "there"

    def well() -> str:
        asked["well"] += 1
        return "fine"

    validation = runner.settle([Check("late", "t", late), Check("well", "t", well)], 20, again=("invalid",))
    assert validation.verdict == "valid"
    assert asked == {"late": 3, "well": 1}


# Specifications


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
def test_a_specification_survives_its_journey(spec: Spec) -> None:
    again = load(phase_of(spec), dump(spec))
    assert again == spec
    assert fingerprint(again) == fingerprint(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
def test_secrets_are_neither_shown_nor_part_of_the_fingerprint(spec: Spec) -> None:
    assert SECRET not in repr(spec)
    other = load(phase_of(spec), dump(spec).replace(SECRET, "another"))
    assert fingerprint(other) == fingerprint(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: phase_of(s))
@pytest.mark.parametrize("broken", ['"code"', None], ids=["a field is gone", "not JSON"])
def test_a_specification_of_another_program_is_told_by_its_fields_alone(spec: Spec, broken: str | None) -> None:
    text = dump(spec).replace(broken, '"renamed"') if broken else dump(spec)[:-1]
    with pytest.raises(Unreadable) as caught:
        load(phase_of(spec), text)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert "pydantic" not in told.splitlines()[-1]
    assert str(caught.value).startswith(f"the specification of {phase_of(spec)} was written by another version: ")
    assert ("code (missing)" if broken else "(json_invalid)") in str(caught.value)


def test_a_changed_declaration_changes_the_fingerprint() -> None:
    changed = replace(
        DEPLOYMENT, containers=(replace(DEPLOYMENT.containers[0], declared=replace(OPA, image="sha256:2")),)
    )
    assert fingerprint(changed) != fingerprint(DEPLOYMENT)


# States


def test_every_state_is_reachable_and_every_phase_reaches_one() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {s for followers in TRANSITIONS.values() for s in followers} == set(State)
    assert set(REACHED) == set(Phase)


@given(st.sampled_from(list(State)), st.sampled_from(list(State)))
def test_check_refuses_exactly_what_the_table_does_not_hold(current: State, wanted: State) -> None:
    if wanted in TRANSITIONS[current]:
        check(current, wanted)
    else:
        with pytest.raises(TransitionRefused, match=f"{current} does not lead to {wanted}"):
            check(current, wanted)


@given(st.sampled_from(list(State)), st.sampled_from(list(REACHED.values())))
def test_a_walk_takes_allowed_steps_and_calls_nothing_complete_in_passing(current: State, wanted: State) -> None:
    try:
        route = walk(current, wanted)
    except TransitionRefused:
        assert current not in (State.UNKNOWN, State.COMPLETE, State.FAILED)
        return
    for before, after in zip([current, *route], route, strict=False):
        check(before, after)
    assert State.COMPLETE not in route[:-1]


def test_a_proof_survives_its_journey() -> None:
    proof = Proof(Phase.PREFLIGHT, "f", "e", "2026-01-01T00:00:00+00:00", 0.5, "r")
    assert Proof.of({**proof.plain(), "recorded": False}) == proof


# What needs no engine to be looked at


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:2375", "ssh://somebody@elsewhere", "npipe:////./pipe/docker"])
def test_an_engine_elsewhere_is_refused_by_its_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", endpoint)
    looked = [c for c in preflight.checks(SPECS[0]) if c.topic == "endpoint"]  # type: ignore[arg-type]
    (refused,) = runner.run(looked, 5).findings
    assert refused.verdict == "invalid"
    assert f"{endpoint} (DOCKER_HOST)" in refused.found
    assert "an engine on this machine" in refused.expected
    assert "127.0.0.1" in refused.expected
    assert str(refused.remedy) == "DOCKER_HOST=unix:///var/run/docker.sock pulumi up"


def test_an_engine_at_a_socket_of_this_machine_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert preflight.endpoint() == "unix:///run/user/1000/docker.sock"


def _certified(days: int, *names: str) -> InitializationSpec:
    issuer = pki.issue("test", 100, authority=True)
    made = pki.issue("leaf", days, pki.Issuer(issuer.chain, issuer.key), names)
    return InitializationSpec(FRANCE, "fra", (), (), (), made.chain, ("a.fra", "127.0.0.1"), issuer.chain)


def test_a_certificate_is_proven_by_its_names_and_days() -> None:
    assert initialization.certificate(_certified(90, "a.fra", "127.0.0.1")).startswith("2 names")
    with pytest.raises(CheckFailed, match=r"127.0.0.1 not covered"):
        initialization.certificate(_certified(90, "a.fra"))
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.certificate(_certified(10, "a.fra", "127.0.0.1"))
    with pytest.raises(CheckFailed, match="not a certificate"):
        initialization.certificate(replace(SPECS[1], certificate="nonsense"))  # type: ignore[type-var]


def test_an_issuer_is_proven_by_its_days() -> None:
    assert initialization.issuer(pki.issue("issuer", 90, authority=True).chain, 30).endswith("days left")
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.issuer(pki.issue("issuer", 10, authority=True).chain, 30)


@pytest.mark.parametrize("where", [FRANCE, USA])
@pytest.mark.parametrize("home", ["FRA", "USA"])
def test_the_seeds_hold_a_case_for_every_pair_of_countries(where: Names, home: str) -> None:
    kinds = [denied_by for _, denied_by in cases(where, home, 10)]
    assert kinds == ["", "clearance", "country"]


@pytest.mark.parametrize(("away", "tried"), [(False, 3), (True, 11)], ids=["refused", "not reachable"])
def test_a_persons_logins_take_turns_and_end_before_the_person_is_locked_out(
    monkeypatch: pytest.MonkeyPatch, away: bool, tried: int
) -> None:
    tries = 0
    alone = threading.Lock()

    def visit(_: Names, whose: Party, *__: object) -> list[Finding]:
        nonlocal tries
        if whose.names is USA:
            return found("valid")
        assert alone.acquire(blocking=False), "two logins of one person at a time"
        tries += 1
        time.sleep(0.01)
        alone.release()
        if tries >= 10:
            return found("valid")
        raise LoginFailed("login", "idp", "a redirect", "no", away)

    monkeypatch.setattr(verification, "visit", visit)
    monkeypatch.setattr(runner, "PAUSE", 0.01)
    spec = SPECS[5]
    assert isinstance(spec, VerificationSpec)
    logins = [c for c in verification.checks(spec) if c.topic == "logins"]
    assert len(logins) == 3
    validation = runner.settle(logins, 60, again=("invalid", "unknown"))
    assert [f.verdict for f in validation.findings if f.verdict != "valid"] == ([] if away else ["invalid"] * 2)
    assert tries == tried


def test_a_login_passes_the_portal_and_the_realms_on_the_way() -> None:
    hosts = [host.split(".")[0:2] for host in verification.path(USA, FRANCE)]
    assert hosts == [["portal", "usa"], ["idp", "usa"], ["idp", "fra"], ["idp", "usa"], ["portal", "usa"]]
    assert len(verification.path(FRANCE, FRANCE)) == 3


@pytest.mark.parametrize(
    ("back", "told"),
    [(8, "8 s ago"), (100, "100 s ago"), (720, "12 min ago"), (3 * 3600, "3 h ago"), (5e5, "6 days ago")],
)
def test_an_age_is_told_as_people_say_it(back: float, told: str) -> None:
    assert ago(age((datetime.now(UTC) - timedelta(seconds=back)).isoformat())) == told


# Containers


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (Condition(True, running=True, health="healthy"), "healthy"),
        (Condition(True, running=True), "healthy"),
        (Condition(True, running=True, health="starting"), "unhealthy"),
        (Condition(True, running=True, paused=True), "stopped"),
        (Condition(True, exit_code=1), "stopped"),
        (Condition(False), "stopped"),
    ],
)
def test_a_container_has_one_state_for_programs(condition: Condition, state: str) -> None:
    assert condition.state == state


@pytest.mark.parametrize(
    ("difference", "files", "code"),
    [
        (Difference("mounts", f"{FILES} ours", f"{FILES} other", in_place=False), "f1", Code.CONTAINER),
        (None, "f2", Code.SERVICE_FILES),
    ],
)
def test_the_code_of_a_container_follows_from_what_differs_and_not_from_its_words(
    monkeypatch: pytest.MonkeyPatch, difference: Difference | None, files: str, code: Code
) -> None:
    engine = Mock()
    engine.observe.return_value = Condition(True, running=True, health="healthy")
    engine.differences.return_value = [difference] if difference else []
    engine.files_digest.return_value = files
    monkeypatch.setattr(objects, "connect", lambda: engine)
    [found] = deployment.containers(DEPLOYMENT.containers)
    assert (found.verdict, found.code, found.state) == (Verdict.INVALID, code, "healthy")


# Ports


def test_all_taken_ports_are_reported_and_the_remedy_names_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    opa, kas = FRANCE.port("opa"), FRANCE.port("kas")
    holder = EngineObject("container", "other", {}, (opa,))
    monkeypatch.setattr(objects, "connect", lambda: Mock(containers=lambda: [holder]))
    monkeypatch.setattr(preflight, "_listening", lambda: {kas: "1 python (pid 7)"})
    first, *_ = sorted([(opa, "opa"), (kas, "kas")])
    with pytest.raises(CheckFailed) as failed:
        preflight.ports(FRANCE, ("opa", "kas"))
    taken = {opa: f"{opa} (opa) by container other", kas: f"{kas} (kas) by 1 python (pid 7)"}
    assert failed.value.found == "taken: " + "; ".join(taken[port] for port in sorted(taken))
    assert f"pulumi config set --path dive:ports.{first[1]} <port>" in str(failed.value.remedy)


# Report


def _report() -> report.Report:
    findings = (
        Finding("t-unit-fra-opa runs", Verdict.VALID, topic="containers", state="healthy"),
        # The words for people decide nothing.
        *(
            Finding(
                f"t-unit-fra-{service} runs",
                Verdict.INVALID,
                found=found,
                topic="containers",
                advisory=True,
                state=state,
            )
            for service, found, state in (("portal", "exited with 1", "stopped"), ("kas", "image: other", "unhealthy"))
        ),
        Finding("a user from FRA can log in at USA", Verdict.VALID, seconds=1.2, topic="logins"),
    )
    spec = SPECS[5]
    assert isinstance(spec, VerificationSpec)
    return report.make(spec, runner.Validation(findings, 1.5), "run-1")


def test_the_report_is_what_its_schema_says() -> None:
    schema = json.loads(Path("schemas/verification-report.json").read_text())
    assert schema == report.json_schema()
    made = json.loads(_report().model_dump_json())
    Draft202012Validator(schema).validate(made)
    assert made["status"] == "success"
    assert made["containers"] == {"running": 2, "unhealthy": 1, "stopped": 1, "total": 3}
    assert SECRET not in json.dumps(made)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda text: text, ""),
        (lambda text: text[:200], "is not a complete report"),
        (lambda _: "", "is not a complete report"),
        (lambda text: text.replace('"success"', '"failure"'), "was altered"),
        (lambda text: text.replace("run-1", "run-0"), "was written for another run (run-0, expected run-1)"),
        (lambda text: text.replace('"FRA"', '"USA"'), "was written for another country (USA, expected FRA)"),
    ],
    ids=["as written", "half", "empty", "forged", "another run", "another country"],
)
def test_a_report_that_is_not_the_one_that_was_written_is_told_and_written_anew(
    tmp_path: Path, harm: Callable[[str], str], told: str
) -> None:
    path, written = tmp_path / "report.json", report.text(_report())
    inputs = {"path": str(path), "text": written}
    assert report.judge(path, written) == "is gone"
    path.write_text(harm(written))
    assert report.judge(path, written) == told
    provider = ReportProvider()
    reason = provider.drift_reason(inputs)
    assert reason == (f"{path} {told}, so it is ignored and written anew" if told else None)
    provider.create_resource(inputs)
    assert path.read_text() == written


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    report.write(report.text(_report()), path)
    before = path.read_text()
    assert json.loads(before)["instance"] == "FRA"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        report.write(report.text(_report()), path)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ("COMPLETE", ["VERIFICATION phase runs again: it was proven 412 s ago; a proof counts for 300 s"]),
        (
            CheckFailed("FAILED", "COMPLETE", Remedy.update()),
            [
                "VERIFICATION phase runs again: not valid now",
                "  ✗ record: FAILED; expected COMPLETE; next: pulumi up",
            ],
        ),
    ],
    ids=["nothing is wrong", "something is wrong"],
)
def test_a_proof_that_is_due_again_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], record: str | CheckFailed, shown: list[str]
) -> None:
    def look() -> str:
        if isinstance(record, CheckFailed):
            raise record
        return record

    def due() -> str:
        raise CheckFailed(
            "it was proven 412 s ago; a proof counts for 300 s", remedy=Remedy.update(detail="proves it again")
        )

    provider = VerificationProvider()
    checks = [Check("the record says COMPLETE", "record", look), Check("it was proven lately", DUE, due)]
    monkeypatch.setattr(provider, "shallow_checks", lambda *_: checks)
    spec = dump(SPECS[5])
    given = {
        "phase": "VERIFICATION",
        "country": "FRA",
        "spec": spec,
        "store": None,
        "completed": "2026-01-01T00:00:00Z",
    }
    assert provider.diff("fra/VERIFICATION", given, given).changes
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "✗" in line or "runs again" in line] == shown
