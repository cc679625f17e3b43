"""Which documents of a large batch are read, with MongoDB and the clock replaced."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from dive_infra.seeds import loader
from dive_infra.seeds.batches import Batch
from dive_infra.seeds.loader import FIRST, WHOLE, Loader

BATCH = Batch("seed", "resources", [{"_id": f"doc-{number}"} for number in range(WHOLE + 1)])


class Collection:
    """Knows no document and no ledger."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def find_one(self, query: dict[str, str]) -> None:
        self.read.append(query["_id"])


class Database(dict[str, Collection]):
    name = "documents"

    def __missing__(self, name: str) -> Collection:
        return self.setdefault(name, Collection())


def sampled() -> list[str]:
    database: Any = Database()
    assert Loader(database).inspect_sample(BATCH).read == len(database["resources"].read)
    read: list[str] = database["resources"].read
    return read


def test_two_samples_of_many_documents_read_different_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(loader, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.02))  # seconds
    one, other = sampled(), sampled()
    first = [f"doc-{number}" for number in range(FIRST)]
    assert (one[:FIRST], other[:FIRST]) == (first, first)
    assert FIRST < len(one) < 100, "half a second allows no more"
    assert {*one} != {*other}
