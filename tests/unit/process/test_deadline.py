"""Work with a bound."""

import threading

import pytest

from dive_infra.process.deadline import within


def test_what_work_returns_or_raises_is_its_result() -> None:
    assert within(5, lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


def test_work_that_does_not_end_is_left_alone() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match="no end within 0 s"):
        within(0.05, never.wait)
    never.set()
