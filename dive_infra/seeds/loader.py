"""Load batches, and check that they are stored unchanged.

Each batch has a row in `seed_manifests` with a ledger: for every document, the fingerprint of its wanted content and of
the bytes that were written for it. A document is right if its live bytes are those of the ledger, and the ledger's line
is for the content wanted now. Therefore an altered label, ciphertext or wrapped key is found, although sealing is never
repeatable. The ledger is written before the documents: after an interruption, the rest is found missing or altered.

Only documents of the batch are ever changed or removed: those with its `seedBatchId`, or named in its ledger.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pymongo import DeleteOne, ReplaceOne
from pymongo.database import Database

from dive_infra.process.crash_points import crash_point
from dive_infra.process.probe_cache import PROBES
from dive_infra.seeds.batches import Batch, content_hash
from dive_infra.seeds.sealing import fingerprint, seal
from dive_infra.seeds.store import Document, SeedStoreError

MANIFESTS = "seed_manifests"
CHUNK = 500  # documents in one write
# Replaced documents in one write: FerretDB keeps a connection to its Postgres for each until all are done. It has
# about fifty, and blocks for ever once they are used up.
REPLACED = 10
WHOLE = 1000  # `inspect_sample` reads a batch up to this size whole; FerretDB reads about as many documents a second
FIRST = 10  # documents at the start of a larger batch that `inspect_sample` always reads: the cornerstones
SAMPLE_SECONDS = 0.5  # for reading further documents

T = TypeVar("T")
Progress = Callable[[int, int], None]  # documents written, documents to write


class SeedConflict(SeedStoreError):
    """A document that is not ours has the id of a seed; it is not touched."""


@dataclass(frozen=True)
class BatchState:
    """How the live documents of a batch differ from it, by id; if none does, `hash` equals the batch's.

    `read` is how many of them were read, if not all.
    """

    missing: tuple[str, ...]
    altered: tuple[str, ...]
    extra: tuple[str, ...]
    hash: str
    count: int  # documents of the batch that are there
    read: int | None = None

    @property
    def valid(self) -> bool:
        return not (self.missing or self.altered or self.extra)


@dataclass(frozen=True)
class Counts:
    """The outcome of a load, in documents."""

    inserted: int = 0
    replaced: int = 0
    removed: int = 0
    kept: int = 0


@dataclass(frozen=True)
class _StoredBatch:
    """The live bytes of a batch's documents, and its ledger: id -> (wanted, written)."""

    live: dict[str, str]
    ledger: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


class Loader:
    """Loads and checks batches in one open database (`store.connect`)."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def inspect(self, batch: Batch) -> BatchState:
        """Compare every document of the batch with the stored one; change nothing."""
        return _compare(batch, self._look(batch))

    def inspect_sample(self, batch: Batch) -> BatchState:
        """Compare as `inspect`, in bounded time: the whole ledger, but only some documents of a large batch.

        Each time these are others. What is wrong with most documents is found at once; what is wrong with one is found
        eventually.
        """
        return PROBES.get((self._database.name, batch.id, batch.hash), lambda: self._inspect_sample(batch))

    def _inspect_sample(self, batch: Batch) -> BatchState:
        if len(batch.documents) <= WHOLE:
            return self.inspect(batch)
        seen = _StoredBatch({}, self._ledger(batch))
        ids = [d["_id"] for d in batch.documents]
        ends = time.monotonic() + SAMPLE_SECONDS
        order = [*ids[:FIRST], *random.sample(ids[FIRST:], len(ids) - FIRST)]
        for read, identifier in enumerate(order):  # by `_id`: any other query is a scan
            if read >= FIRST and time.monotonic() > ends:
                order = order[:read]
                break
            if document := self._database[batch.collection].find_one({"_id": identifier}):
                seen.live[identifier] = fingerprint(document)
        return _compare_some(batch, seen, order)

    def load(self, batch: Batch, progress: Progress = lambda done, total: None) -> Counts:
        """Write what is missing or altered and remove what is extra, nothing else. Raises `SeedConflict`."""
        seen = self._look(batch)
        state = _compare(batch, seen)
        kept = len(batch.documents) - len(state.missing) - len(state.altered)
        if state.valid:
            return Counts(kept=kept)
        due = {*state.missing, *state.altered}
        rows = {d["_id"]: _stored(batch, d) for d in batch.documents if d["_id"] in due}
        ledger = {i: line for i, line in seen.ledger.items() if i in batch.wanted}
        ledger |= {i: (batch.wanted[i], fingerprint(row)) for i, row in rows.items()}
        counts = Counts(len(state.missing), len(state.altered), len(state.extra), kept)
        self._refuse_strangers(batch, state.missing)
        self._write_manifest(batch, "loading", counts, ledger)
        before = len(state.missing)
        self._insert(batch, [rows[i] for i in state.missing], lambda done: progress(done, len(due)))
        self._replace(batch, [rows[i] for i in state.altered], lambda done: progress(before + done, len(due)))
        for part in _chunks(state.extra):
            with crash_point("delete documents"):
                self._database[batch.collection].bulk_write([DeleteOne({"_id": i}) for i in part])
        self._write_manifest(batch, "complete", counts, ledger)
        return counts

    def _look(self, batch: Batch) -> _StoredBatch:
        collection = self._database[batch.collection]
        live = {d["_id"]: fingerprint(d) for d in collection.find({"seedBatchId": batch.id})}
        ledger = self._ledger(batch)
        for document in self._find(batch, ledger.keys() - live.keys()):  # ours, although it lost its batch id
            live[document["_id"]] = fingerprint(document)
        return _StoredBatch(live, ledger)

    def _ledger(self, batch: Batch) -> dict[str, tuple[str, str]]:
        manifest = self._database[MANIFESTS].find_one({"_id": batch.id}) or {}
        return {i: (wanted, written) for i, wanted, written in map(str.split, manifest.get("ledger", ()))}

    def _find(self, batch: Batch, ids: Iterable[str]) -> list[Document]:
        """Return the documents with these ids. One scan finds those that exist: FerretDB would scan for `$in` too."""
        wanted = set(ids)
        if not wanted:
            return []
        collection = self._database[batch.collection]
        there = wanted & {d["_id"] for d in collection.find({}, {"_id": True})}
        return [d for d in (collection.find_one({"_id": i}) for i in sorted(there)) if d is not None]

    def _refuse_strangers(self, batch: Batch, ids: Sequence[str]) -> None:
        if strangers := [d["_id"] for d in self._find(batch, ids)]:
            raise SeedConflict(
                f"{', '.join(strangers)} in {batch.collection} was not created by {batch.id}; kept: "
                "rename or remove it, then run again"
            )

    def _insert(self, batch: Batch, rows: Sequence[Document], done: Callable[[int], None]) -> None:
        written = 0
        for part in _chunks(rows):
            with crash_point("insert documents"):
                self._database[batch.collection].insert_many(part)
            written += len(part)
            done(written)

    def _replace(self, batch: Batch, rows: Sequence[Document], done: Callable[[int], None]) -> None:
        written = 0
        for part in _chunks(rows, REPLACED):
            with crash_point("replace documents"):
                self._database[batch.collection].bulk_write(
                    [ReplaceOne({"_id": r["_id"]}, r, upsert=True) for r in part]
                )
            written += len(part)
            done(written)

    def _write_manifest(self, batch: Batch, status: str, counts: Counts, ledger: dict[str, tuple[str, str]]) -> None:
        row = {
            "_id": batch.id,
            "collection": batch.collection,
            "status": status,
            "hash": batch.hash,
            "count": len(batch.documents),
            "last": {"inserted": counts.inserted, "replaced": counts.replaced, "removed": counts.removed},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "ledger": [f"{i} {wanted} {written}" for i, (wanted, written) in sorted(ledger.items())],
        }
        with crash_point(f"write manifest {status}"):
            self._database[MANIFESTS].replace_one({"_id": batch.id}, row, upsert=True)


def _stored(batch: Batch, document: dict[str, Any]) -> dict[str, Any]:
    return seal(document, batch.key_service) if batch.key_service else document


def _compare(batch: Batch, seen: _StoredBatch) -> BatchState:
    wanted, live = batch.wanted, seen.live
    # What a live document says: known from the ledger if its bytes are those that were written.
    says = {i: known if written == seen.live[i] else f"unknown {seen.live[i]}" for i, (known, written) in _lines(seen)}
    return BatchState(
        missing=tuple(i for i in wanted if i not in live),
        altered=tuple(i for i in wanted if i in live and says[i] != wanted[i]),
        extra=tuple(sorted(live.keys() - wanted.keys())),
        hash=content_hash(says),
        count=len(live.keys() & wanted.keys()),
    )


def _compare_some(batch: Batch, seen: _StoredBatch, read: Sequence[str]) -> BatchState:
    """Compare the documents that were read, and the ledger of all."""
    says = dict(_lines(seen))
    off = {i for i, live in seen.live.items() if says[i] != (batch.wanted[i], live)}
    off |= {i for i, wanted in batch.wanted.items() if seen.ledger.get(i, ("", ""))[0] != wanted}
    missing = tuple(i for i in read if i not in seen.live)
    altered = tuple(i for i in batch.wanted if i in off and i not in missing)
    agreed = not missing and not altered
    return BatchState(
        missing, altered, (), batch.hash if agreed else "", len(batch.documents) - len(missing), len(read)
    )


def _lines(seen: _StoredBatch) -> Iterator[tuple[str, tuple[str, str]]]:
    return ((i, seen.ledger.get(i, ("", ""))) for i in seen.live)


def _chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
