"""Rights to the record are granted one country at a time; what it is made of is tested on a real Postgres."""

from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from dive_infra.clients import postgres
from dive_infra.orchestration import schema


class Session:
    """Keeps the statements; the first answers to a change of rights are these errors."""

    def __init__(self, *conflicts: psycopg.Error) -> None:
        self.conflicts = list(conflicts)
        self.done: list[str] = []

    @contextmanager
    def transaction(self) -> Any:
        self.done.append("begin")
        try:
            yield
        except psycopg.Error:
            self.done.append("rollback")
            raise
        self.done.append("commit")

    def execute(self, statement: str, _values: list[Any]) -> None:
        self.done.append(statement.partition("(")[0].removeprefix("SELECT "))
        if "advisory" not in statement and self.conflicts:
            raise self.conflicts.pop(0)


def test_a_change_of_rights_holds_the_lock_until_it_counts() -> None:
    live: Any = Session()
    schema.admit(live, "fra", "orchestration_fra")
    schema.dismiss(live, "fra")
    lock = "pg_advisory_xact_lock"
    assert live.done == ["begin", lock, "admit", "commit", "begin", lock, "dismiss", "commit"]


@pytest.mark.parametrize(
    "conflict", [psycopg.errors.InternalError_("tuple concurrently updated"), psycopg.errors.LockNotAvailable("lock")]
)
def test_what_passes_by_itself_is_tried_again_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, conflict: psycopg.Error
) -> None:
    monkeypatch.setattr(postgres, "_PAUSE", 0)
    live: Any = Session(conflict)
    schema.admit(live, "fra", "orchestration_fra")
    once = ["begin", "pg_advisory_xact_lock", "admit"]
    assert live.done == [*once, "rollback", *once, "commit"]


def test_what_does_not_pass_is_raised_at_once() -> None:
    live: Any = Session(psycopg.errors.UndefinedObject("no such role"))
    with pytest.raises(psycopg.errors.UndefinedObject):
        schema.admit(live, "fra", "orchestration_fra")
