"""Where the crash-point sweep kills: every step is known to it, and each plan kills where it says, and ends."""

from collections import Counter

import pytest

from tests.faults.killing import Point
from tests.faults.sweep import ELSEWHERE, REMOVED, Everything, Plan, Selection, steps

# What is done in turn, and how many at a time: files of three services, then their containers, then a record.
PROGRAM = ["make files"] * 3 + ["docker:Container"] * 2 + ["make files"] * 2 + ["write record"]


def test_a_step_that_is_taken_elsewhere_is_a_step() -> None:
    assert steps() >= ELSEWHERE.keys(), "else a row of `ELSEWHERE` is stale"


def test_the_steps_of_the_program_are_found_with_all_their_names() -> None:
    found = steps()
    assert {"create Files", "write files", "record SEEDING", "write manifest complete", "POST at Keycloak"} <= found
    assert not [name for name in found if "{" in name]


def run(plan: Plan, recorded: list[str], at_once: int) -> list[Point]:
    """Does what is not recorded yet, `at_once` things at a time, until it is killed: where it was."""
    while len(recorded) < len(PROGRAM):
        left = PROGRAM[len(recorded) :]
        batch = [name for name in left[:at_once] if name == left[0]]
        for moment in ("made",) if ":" in batch[0] else ("before", "after"):
            held = [point for name in batch if plan.chosen(point := Point(moment, name))]
            if held:
                return held
        recorded += batch
    return []


def kills(plan: Plan, at_once: int, told: str = "") -> Counter[Point]:
    recorded: list[str] = []
    found: Counter[Point] = Counter()
    while held := run(plan, recorded, at_once):
        assert found.total() < 100, "it does not end"
        found.update(held)
        plan.killed(held)
        plan.resumed(told)
    assert recorded == PROGRAM
    return found


@pytest.mark.parametrize("at_once", [1, 4])
def test_everything_is_killed_before_and_after_every_time(at_once: int) -> None:
    times = Counter(name for name in PROGRAM if ":" not in name)
    found = kills(Everything(), at_once)
    assert {point: n for point, n in found.items() if point.moment != "made"} == {
        Point(moment, name): n for name, n in times.items() for moment in ("before", "after")
    }
    assert found[Point("made", "docker:Container")]


def test_the_selection_kills_once_at_each() -> None:
    found = kills(Selection(PROGRAM), 1)
    assert found == Counter(
        {Point("after", "make files"): 1, Point("after", "write record"): 1, Point("made", "docker:Container"): 1}
    )


def test_a_selection_of_names_kills_at_no_other() -> None:
    assert {point.name for point in kills(Selection({"write record"}), 1)} == {"write record"}


def test_a_moment_that_luck_must_meet_is_tried_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.sweep.REMOVERS", {"docker:Container": None})
    assert kills(Selection(PROGRAM), 1)[Point("made", "docker:Container")] == 4
    assert kills(Selection(PROGRAM), 1, told=f"network: {REMOVED}")[Point("made", "docker:Container")] == 1
