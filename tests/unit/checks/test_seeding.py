"""Which documents the check of SEEDING reads, and what it says of them, with MongoDB replaced."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from dive_infra.checks import seeding
from dive_infra.checks.runner import Check
from dive_infra.checks.spec import SeedingSpec
from dive_infra.seeds.batches import Batch
from dive_infra.seeds.loader import BatchState
from tests.unit.checks.specs import SPECS

BATCH = Batch("seed", "resources", [{"_id": f"doc-{number}"} for number in range(3)])
[SPEC] = [spec for spec in SPECS if isinstance(spec, SeedingSpec)]


class Loader:
    """Finds everything as seeded; a sample reads one document."""

    def __init__(self, database: object) -> None:
        pass

    def inspect(self, batch: Batch, read: int | None = None) -> BatchState:
        return BatchState((), (), (), batch.hash, len(batch.documents), read)

    def inspect_sample(self, batch: Batch) -> BatchState:
        return self.inspect(batch, 1)


@pytest.mark.parametrize(
    ("made", "says"), [(seeding.checks, ""), (seeding.shallow_checks, ", 1 of 3 documents read")], ids=["proof", "look"]
)
def test_a_proof_reads_all_documents_and_a_look_says_how_many(
    monkeypatch: pytest.MonkeyPatch, made: Callable[[SeedingSpec], list[Check]], says: str
) -> None:
    monkeypatch.setattr(seeding, "connect", nullcontext)
    monkeypatch.setattr(seeding, "Loader", Loader)
    monkeypatch.setattr(seeding, "batches", lambda *_: [BATCH])
    probed = made(SPEC)[0].probe()
    assert not isinstance(probed, str)
    [found] = probed
    assert (found.verdict, found.found) == ("valid", f"3 with hash {BATCH.hash[:12]}{says}")


def test_a_country_without_partners_has_no_accounts_of_them_to_check() -> None:
    """A check without an object is unknown; the hub would be, too, after its last partner is cut off."""
    alone = replace(SPEC, partners=())
    more = {c.topic for c in seeding.checks(SPEC)} - {c.topic for c in seeding.checks(alone)}
    assert more == {"accounts of partners"}
