"""A plan as a comment in Markdown."""

import pytest

from dive_infra.plans import comment, provider_messages
from tests.unit.plans.events import CONTAINER, GATE, VOLUME, planned, said, step


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


def test_a_comment_is_cut_at_what_github_takes_and_notes_the_cut() -> None:
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
