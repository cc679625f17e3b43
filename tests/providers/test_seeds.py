"""Seeds against a real server of MongoDB's protocol: loaded, left alone, and repaired one document at a time."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pymongo.database import Database

from dive_infra.catalog.datastores import ROOT_USER, mongodb
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto.pki import public_key
from dive_infra.engines.docker import engine
from dive_infra.seeds.batches import Batch, batches
from dive_infra.seeds.loader import FIRST, MANIFESTS, WHOLE, BatchState, Counts, Loader, SeedConflict
from dive_infra.seeds.store import SeedStoreAccess, SeedStoreRefused, SeedStoreUnreachable, connect
from tests.support.lab import lab

Mongo = Database[dict[str, Any]]
FRA, USA = (Names(country, "t-seeds") for country in (COUNTRIES["FRA"], HUB))
SECRETS = {"mongodb": "a-password-of-the-tests"}


def _public_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return public_key(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


PUBLIC_KEY = _public_key()


@pytest.fixture(scope="module")
def target() -> Iterator[SeedStoreAccess]:
    with lab(engine.client(), FRA, SECRETS) as there:
        there.start(mongodb(FRA, USA))
        ca = there.material.ca
        yield SeedStoreAccess(LOOPBACK, FRA.port("mongodb"), ROOT_USER, SECRETS["mongodb"], FRA.mongo_database, ca)


@pytest.fixture
def database(target: SeedStoreAccess) -> Iterator[Mongo]:
    with connect(target) as opened:
        for name in opened.list_collection_names():
            opened.drop_collection(name)
        yield opened


def _resources(documents: int = 30, key: str = PUBLIC_KEY) -> Batch:
    return batches(FRA, [USA], key, documents)[-1]


def _snapshot(database: Mongo) -> dict[str, dict[str, Any]]:
    return {d["_id"]: d for d in database.resources.find({})}


def test_loading_twice_changes_nothing(database: Mongo) -> None:
    loader = Loader(database)
    made = batches(FRA, [USA], PUBLIC_KEY, 30)
    assert [loader.load(b).inserted for b in made] == [len(b.documents) for b in made]
    before, manifests = _snapshot(database), list(database[MANIFESTS].find({}))
    assert [loader.load(b) for b in made] == [Counts(kept=len(b.documents)) for b in made]
    assert _snapshot(database) == before
    assert list(database[MANIFESTS].find({})) == manifests
    for batch in made:
        state = loader.inspect(batch)
        assert state == BatchState((), (), (), batch.hash, len(batch.documents))


def _remove(d: Mongo) -> None:
    d.resources.delete_one({"_id": "doc-fra-000003"})


def _set(field: str, value: Any) -> Callable[[Mongo], None]:
    def change(d: Mongo) -> None:
        assert d.resources.update_one({"_id": "doc-fra-000003"}, {"$set": {field: value}}).modified_count == 1

    return change


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(_remove, ("missing", Counts(inserted=1, kept=29)), id="removed"),
        pytest.param(_set("classification", "UNCLASSIFIED"), ("altered", Counts(replaced=1, kept=29)), id="label"),
        pytest.param(_set("ztdf.payload.ciphertext", "QUJD"), ("altered", Counts(replaced=1, kept=29)), id="payload"),
        pytest.param(_set("ztdf.payload.keyAccess", []), ("altered", Counts(replaced=1, kept=29)), id="key"),
        pytest.param(_set("added", True), ("altered", Counts(replaced=1, kept=29)), id="field added"),
        pytest.param(_set("seedBatchId", "somebody"), ("altered", Counts(replaced=1, kept=29)), id="mark lost"),
    ],
)
def test_one_damaged_document_is_found_and_it_alone_is_repaired(
    database: Mongo, damage: Callable[[Mongo], None], expected: tuple[str, Counts]
) -> None:
    loader, batch = Loader(database), _resources()
    loader.load(batch)
    before = _snapshot(database)
    damage(database)
    kind, counts = expected
    state = loader.inspect(batch)
    assert getattr(state, kind) == ("doc-fra-000003",)
    assert not state.valid
    assert state.hash != batch.hash
    assert loader.load(batch) == counts
    after = _snapshot(database)
    assert {i for i in after if after[i] != before[i]} == {"doc-fra-000003"}
    assert loader.inspect(batch).valid


def test_fewer_documents_remove_the_rest_and_never_a_persons(database: Mongo) -> None:
    loader = Loader(database)
    loader.load(_resources(30))
    database.resources.insert_one({"_id": "written-by-a-person", "title": "Mine"})
    assert loader.load(_resources(20)) == Counts(removed=10, kept=20)
    assert loader.inspect(_resources(20)).valid
    assert set(_snapshot(database)) == {d["_id"] for d in _resources(20).documents} | {"written-by-a-person"}


def test_a_persons_document_with_the_id_of_a_seed_stops_the_load_before_it_starts(database: Mongo) -> None:
    own = {"_id": "doc-fra-000002", "title": "Mine"}
    database.resources.insert_one(own)
    with pytest.raises(SeedConflict, match="doc-fra-000002 in resources was not created by seed-fra-resources"):
        Loader(database).load(_resources())
    assert _snapshot(database) == {"doc-fra-000002": own}


def test_an_interrupted_load_is_finished_by_the_next_one(database: Mongo) -> None:
    loader, batch = Loader(database), _resources(1200)

    def interrupt(done: int, total: int) -> None:
        assert total == 1200
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loader.load(batch, interrupt)
    written = _snapshot(database)
    state = loader.inspect(batch)
    assert (len(state.missing), state.altered, state.extra) == (700, (), ())
    assert loader.load(batch) == Counts(inserted=700, kept=500)
    after = _snapshot(database)
    assert all(after[i] == document for i, document in written.items())


def test_another_key_service_key_seals_all_documents_again(database: Mongo) -> None:
    loader = Loader(database)
    loader.load(_resources(200))
    assert loader.load(_resources(200, _public_key())) == Counts(replaced=200)


def test_many_documents_are_removed(database: Mongo) -> None:
    loader = Loader(database)
    loader.load(_resources(200))
    assert loader.load(_resources(10)) == Counts(removed=190, kept=10)


def test_five_thousand_documents_load_in_seconds_and_are_checked_in_less(database: Mongo) -> None:
    loader, batch = Loader(database), _resources(5000)
    reported: list[int] = []
    began = time.monotonic()
    loader.load(batch, lambda done, total: reported.append(done))
    loaded = time.monotonic()
    assert loader.inspect(batch).valid
    inspected = time.monotonic()
    sampled = loader.inspect_sample(batch)
    looked = time.monotonic() - inspected
    print(
        f"5000 documents: loaded in {loaded - began:.1f} s, inspected in {inspected - loaded:.1f} s, "
        f"{sampled.read} of them read in {looked:.1f} s"
    )
    assert sampled.valid
    assert sampled.read
    assert FIRST <= sampled.read < 5000
    assert looked < max(2, (inspected - loaded) / 2), "a busy machine slows both"
    assert reported == list(range(500, 5001, 500))
    assert loaded - began < 60
    assert inspected - loaded < 30


def test_a_sample_of_many_documents_shows_what_is_off_with_what_it_reads_and_with_the_ledger(database: Mongo) -> None:
    loader, batch = Loader(database), _resources(WHOLE + 1)
    loader.load(batch)
    assert loader.inspect_sample(batch).valid
    database.resources.update_one({"_id": "doc-fra-000003"}, {"$set": {"classification": "UNCLASSIFIED"}})
    database.resources.delete_one({"_id": "doc-fra-000009"})
    state = loader.inspect_sample(batch)
    assert (state.altered, state.missing) == (("doc-fra-000003",), ("doc-fra-000009",))
    loader.load(batch)
    other = _resources(WHOLE + 1, key=_public_key())
    assert len(loader.inspect_sample(other).altered) == WHOLE + 1, "sealed for another key: the ledger tells of all"
    database[MANIFESTS].delete_one({"_id": batch.id})
    assert not loader.inspect_sample(batch).valid
    small = _resources(30)
    loader.load(small)
    assert loader.inspect_sample(small).read is None, "read whole"


def test_unreachable_and_refused_are_two_answers(target: SeedStoreAccess) -> None:
    nobody = SeedStoreAccess(LOOPBACK, 1, ROOT_USER, "x", FRA.mongo_database, target.ca, patience=60)
    began = time.monotonic()
    with pytest.raises(SeedStoreUnreachable, match=r"MongoDB at 127\.0\.0\.1:1 does not answer"), connect(nobody) as d:
        d.command("ping")
    assert time.monotonic() - began < 5, "that nobody listens needs no patience"
    wrong = SeedStoreAccess(LOOPBACK, target.port, ROOT_USER, "not the password", FRA.mongo_database, target.ca)
    with pytest.raises(SeedStoreRefused, match="refused"), connect(wrong) as d:
        Loader(d).inspect(_resources())
