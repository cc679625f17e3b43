"""The plan of an update, read from the events of Pulumi and told as a comment and as data."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dive_infra.automation import preview_run
from dive_infra.cli import stacks
from dive_infra.cli.__main__ import app
from dive_infra.config import paths
from dive_infra.config.paths import ROOT
from dive_infra.orchestration.states import Phase
from dive_infra.plans import comment, provider_messages
from dive_infra.plans.events import plan
from dive_infra.plans.plan import Preview, UpdatePlan, json_schema

URN = "urn:pulumi:fra::dive::dive:phases:{phase}$dive:components:Service${kind}::{name}"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def step(
    op: str, name: str, kind: str, phase: str = "Deployment", before: Any = None, after: Any = None, **more: Any
) -> str:
    """One event of the engine."""
    urn = URN.format(phase=phase, kind=kind, name=name)

    def state(inputs: Any) -> dict[str, Any]:
        return {"urn": urn, "custom": True, "id": f"id-of-{name}", "parent": "the service", "inputs": inputs}

    old, new = state(before or {}) if op != "create" else None, state(after or {}) if op != "delete" else None
    return json.dumps({"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "old": old, "new": new, **more}}})


def said(message: str, severity: str = "info") -> str:
    return json.dumps({"diagnosticEvent": {"message": f"{message}\n", "severity": severity}})


def planned(*lines: str, fresh: bool = False, failed: bool = False) -> UpdatePlan:
    return plan(lines, "FRA", "pulumi up -s fra", fresh, failed, 1.0)


GATE, CONTAINER = "pulumi-python:dynamic/dive:Gate", "docker:index/container:Container"
VOLUME = "pulumi-python:dynamic/dive:DataVolume"


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    steps = [step(op, "redis", CONTAINER) for op in ("delete-replaced", "replace", "create-replacement")]
    found = planned(*steps, step("same", "opa", CONTAINER))
    assert [(c.name, c.operation) for c in found.all_changes] == [("redis", "replace")]
    assert found.changes == {"create": 0, "update": 0, "replace": 1, "delete": 0}
    assert found.unchanged == 1
    assert comment.headline(found) == "1 to replace, 1 unchanged"


def test_a_change_says_why_by_the_words_of_its_provider_and_those_beside_it() -> None:
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


def test_what_loses_data_comes_first_and_in_bold() -> None:
    found = planned(
        step("update", "redis-gate", GATE),
        step("delete", "data-redis", VOLUME, "Initialization"),
        step("create", "data-other", VOLUME, "Initialization"),
    )
    text = comment.markdown([found])
    assert "**TO DELETE: `data-redis`, a data volume**" in text
    assert text.index("data-redis") < text.index("redis-gate")
    assert "**`data-other`" not in text
    assert text.startswith("<!-- dive preview FRA -->\n### ⚠️ FRA: 1 to create, 1 to update, 1 to delete")


def test_a_failed_plan_shows_its_errors_and_nothing_it_did_not_find() -> None:
    found = planned(said("the hub does not approve FRA", "error"), failed=True)
    text = comment.markdown([found])
    assert "❌ FRA: the plan failed" in text
    assert "the hub does not approve FRA" in text
    assert "| PREFLIGHT" not in text


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


def test_a_comment_is_cut_at_what_github_takes_and_says_so() -> None:
    long = "x" * 300
    steps = [step("update", f"redis-{n}", CONTAINER, before={"a": long}, after={"a": f"{long}{n}"}) for n in range(400)]
    found = planned(*steps)
    whole = len("\n".join(line for c in found.all_changes for line in comment.diff(c)))
    assert whole > comment.LIMIT
    for plans in ([found], [found, found.model_copy(update={"country": "USA"})]):
        text = comment.markdown(plans)
        assert len(text) <= comment.LIMIT
        assert "the diff is cut here" in text
        assert text.count("<details>") == text.count("</details>") == len(plans)


@pytest.mark.parametrize("words", ["@admin", "<img src=x>", "`code`", "a | b", "[link](there)", "</details>"])
def test_a_value_never_becomes_markdown(words: str) -> None:
    found = planned(
        said(provider_messages.drifted("Gate", "id-of-redis-gate", words)), step("update", "redis-gate", GATE)
    )
    row = next(line for line in comment.markdown([found]).splitlines() if line.startswith("| DEPLOYMENT"))
    assert words not in row
    assert row.count("|") == 4, "three cells"


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    found = planned(step("update", "redis", CONTAINER, before={"a": "```"}, after={"a": "````"}))
    assert "\n`````diff\n" in comment.markdown([found])


def test_much_that_is_created_is_counted() -> None:
    found = planned(*(step("create", f"redis-{n}", CONTAINER) for n in range(20)), fresh=True)
    assert found.situation == "fresh"
    assert "20 to create: 20 Container" in comment.markdown([found])


def test_the_schema_in_the_repository_is_that_of_the_plan() -> None:
    held = json.loads((ROOT / "schemas" / "preview.json").read_text())
    assert held == json_schema(), "next: write dive_infra.plans.plan.json_schema() there"


def test_a_preview_reads_back_as_it_was_written() -> None:
    preview = Preview(plans=[planned(step("update", "redis", CONTAINER))])
    assert Preview.model_validate_json(preview.model_dump_json()) == preview


def test_a_phase_that_runs_again_says_what_changed_in_words() -> None:
    found = planned(
        step("same", "opa", CONTAINER), said(provider_messages.again(Phase.SEEDING, "changed: after, declaration"))
    )
    [phase] = [p for p in found.phases if p.phase == Phase.SEEDING]
    assert phase.evidence == "changed: the phases before it, what it declares"


def test_a_spoke_that_the_checkouts_hub_does_not_approve_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.usa.yaml").write_text("config:\n  dive:spokes: [FRA]\n")
    (tmp_path / "Pulumi.gbr.yaml").touch()
    (tmp_path / "Pulumi.fra.yaml").touch()
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    fra, gbr = stacks.chosen(["fra", "gbr"])
    assert preview_run.approval_errors(fra) == []
    assert preview_run.approval_errors(gbr) == [
        "Pulumi.usa.yaml does not approve GBR; next: add GBR to dive:spokes there",
    ]


def test_a_preview_of_an_unknown_country_is_wrong_use() -> None:
    assert CliRunner().invoke(app, ["preview", "FRR"]).exit_code == 2
