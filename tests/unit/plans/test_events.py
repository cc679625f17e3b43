"""Plans, read from Pulumi's events."""

import json

from dive_infra.orchestration.states import Phase
from dive_infra.plans import comment, provider_messages
from dive_infra.plans.events import UpdateError, first_error
from tests.unit.plans.events import CONTAINER, GATE, URN, planned, said, step

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    steps = [step(op, "redis", CONTAINER) for op in ("delete-replaced", "replace", "create-replacement")]
    found = planned(*steps, step("same", "opa", CONTAINER))
    assert [(c.name, c.operation) for c in found.all_changes] == [("redis", "replace")]
    assert found.changes == {"create": 0, "update": 0, "replace": 1, "delete": 0}
    assert found.unchanged == 1
    assert comment.headline(found) == "1 to replace, 1 unchanged"


def test_a_change_says_why_as_its_provider_and_those_beside_it_do() -> None:
    found = planned(
        said(provider_messages.drifted("Gate", "id-of-redis-gate", "is exited with code 0")),
        step("update", "redis-gate", GATE),
        step("replace", "redis-container", CONTAINER),
        step("update", "other-gate", GATE.replace("Gate", "Probe")),
    )
    assert {c.name: c.why for c in found.all_changes}["redis-gate"] == ["is exited with code 0"]
    assert {c.name: c.why for c in found.all_changes}["redis-container"] == ["is exited with code 0"]


def test_a_changed_property_is_shown_with_both_values_and_a_secret_without() -> None:
    before = {"image": "sha256:1", "envs": ["A=1", "B=2"], "password": "[secret]", "__provider": "x"}
    after = {"image": _UNKNOWN, "envs": ["A=1", "B=3"], "password": "[secret]", "__provider": "y"}
    diffs = ["image", "envs", "password", "__provider"]
    [change] = planned(step("update", "redis", CONTAINER, before=before, after=after, diffs=diffs)).all_changes
    assert [(d.path, d.before, d.after) for d in change.differences] == [
        ("image", "sha256:1", "[unknown]"),
        ("envs[1]", "B=2", "B=3"),
        ("password", "[secret]", "[secret]"),
    ]
    assert change.why == ["changed: image, envs, password"]


def test_each_phase_has_its_verdict_and_evidence() -> None:
    found = planned(
        step("same", "opa", CONTAINER),
        said(provider_messages.skipped(Phase.PREFLIGHT, "engine, 9 ports; 0.2 s")),
        said(provider_messages.unknown(Phase.INITIALIZATION, "kept as proven at noon: no engine (3 looks)")),
        said(provider_messages.again(Phase.DEPLOYMENT, "not valid now")),
        said(""),
        said("  ✗ redis runs: found exited"),
    )
    verdicts = {p.phase: (p.verdict, p.evidence) for p in found.phases}
    assert verdicts[Phase.PREFLIGHT] == ("skipped", "engine, 9 ports; 0.2 s")
    assert verdicts[Phase.INITIALIZATION] == ("unknown", "kept as proven at noon: no engine (3 looks)")
    assert verdicts[Phase.DEPLOYMENT] == ("again", "not valid now\n✗ redis runs: found exited")
    assert found.situation == "state"


def test_what_could_not_be_looked_at_is_one_note() -> None:
    lines = [said(provider_messages.unchecked("Gate", n, f"cause {n}")) for n in "ab"]
    found = planned(step("same", "opa", CONTAINER), *lines)
    assert found.notes == ["could not be checked, kept as it was: Gate a, Gate b"]
    assert found.situation == "state"


def test_what_pulumi_calls_an_error_and_goes_on_is_a_note() -> None:
    found = planned(step("same", "opa", CONTAINER), said("a plugin exited prematurely\nand more", "error"))
    assert (found.result, found.errors, found.notes) == ("planned", [], ["a plugin exited prematurely"])


def test_a_broken_rule_of_the_policy_pack_is_an_error_and_advice_a_note() -> None:
    def judged(rule: str, level: str) -> str:
        urn = URN.format(phase="Deployment", kind=CONTAINER, name="opa-container")
        found = {"resourceUrn": urn, "policyName": rule, "enforcementLevel": level, "message": "found; expected\nwhy\n"}
        return json.dumps({"policyEvent": found})

    found = planned(judged("limits", "mandatory"), judged("restart", "advisory"), failed=True)
    assert found.errors == ["opa-container breaks the rule limits: found; expected"]
    assert found.notes == ["opa-container breaks the rule restart: found; expected"]


def test_a_phase_that_runs_again_says_what_changed_in_words() -> None:
    found = planned(
        step("same", "opa", CONTAINER), said(provider_messages.again(Phase.SEEDING, "changed: after, declaration"))
    )
    [phase] = [p for p in found.phases if p.phase == Phase.SEEDING]
    assert phase.evidence == "changed: the phases before it, what it declares"


STACK_URN = "urn:pulumi:fra::dive::pulumi:pulumi:Stack::dive-fra"
CONTAINER_URN = URN.format(phase="Deployment", kind=CONTAINER, name="frontend")
BRIDGED = (
    "sdk-v2/provider2.go:572: sdk.helper_schema: Unable to create container: no such image: provider=docker@4.11.0"
)


def test_an_update_that_failed_names_the_phase_and_the_cause_of_its_first_error() -> None:
    events = [
        said("is replaced", urn=CONTAINER_URN),
        said("update failed", "error", STACK_URN),
        said("<{%reset%}>1 error occurred:\n\t* Unable to create container: no such image", "error", CONTAINER_URN),
        said("another", "error", URN.format(phase="Seeding", kind=GATE, name="seed")),
    ]
    wanted = UpdateError(Phase.DEPLOYMENT, "Unable to create container: no such image")
    assert first_error(events) == wanted
    assert first_error([said(BRIDGED, "error", CONTAINER_URN)]) == wanted


def test_an_error_about_no_phase_still_has_a_cause() -> None:
    assert first_error([said("error: no passphrase\nmore", "error")]) == UpdateError(None, "error: no passphrase")
    assert first_error([said("the program failed", "error", STACK_URN)]) == UpdateError(None, "the program failed")
    assert first_error([said("a warning", "warning")]) is None


def test_a_rule_that_refuses_a_resource_is_an_error_of_its_phase() -> None:
    judged = {"resourceUrn": CONTAINER_URN, "policyName": "no-root", "message": "runs as root", "enforcementLevel": ""}
    refused, advised = ({"policyEvent": {**judged, "enforcementLevel": level}} for level in ("mandatory", "advisory"))
    wanted = UpdateError(Phase.DEPLOYMENT, "frontend breaks the rule no-root: runs as root")
    assert first_error([json.dumps(advised), json.dumps(refused)]) == wanted
