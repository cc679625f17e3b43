"""The runner of checks: side by side, bounded in time, and an error is never an answer."""

import threading
import time

from dive_infra.checks import runner
from dive_infra.checks.runner import Check, CheckFailed, CheckUnknown
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy


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
        ("unknown", "nothing to check"),
    ]
    assert [f.source for f in findings] == ["a", "b", "c", "d"]
    assert findings[0].code == Code.IMAGE


def test_a_check_that_hangs_is_unknown_at_the_deadline() -> None:
    never = threading.Event()
    started = time.monotonic()
    validation = runner.run([Check("slow", "t", lambda: str(never.wait(30))), Check("quick", "t", lambda: "ok")], 0.3)
    never.set()
    assert time.monotonic() - started < 2
    assert [f.verdict for f in validation.findings] == ["unknown", "valid"]
    assert "no answer within 0.3 s" in validation.findings[0].found


def test_what_is_late_is_asked_once_more_where_there_is_time_for_it() -> None:
    asked: list[int] = []

    def slow_at_first() -> str:
        asked.append(1)
        return "warm" if asked[1:] else str(threading.Event().wait(1))

    checks = [Check("slow", "t", slow_at_first)]
    assert runner.run(checks, 0.1).late
    asked.clear()
    assert runner.run(checks, 0.1, 5).verdict == "valid"
    assert len(asked) == 2


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


def test_a_proof_repeats_a_failed_check_only_if_it_settles_and_a_look_repeats_none() -> None:
    asked = {"settles": 0, "fails": 0}

    def count(name: str) -> str:
        asked[name] += 1
        if asked[name] < 2:
            raise CheckFailed("not yet")
        return "there"

    checks = [Check(name, "t", lambda n=name: count(n), settles=name == "settles") for name in asked]
    assert [f.verdict for f in runner.run(checks, 5).findings] == ["invalid", "invalid"]
    asked |= {"settles": 0, "fails": 0}
    proof = runner.settle(checks, 5, again=("unknown",))
    assert [f.verdict for f in proof.findings] == ["valid", "invalid"]
    assert asked == {"settles": 2, "fails": 1}
