"""The generated documents."""

from itertools import permutations

import pytest

from dive_infra.config.clearances import LEVELS
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.seeds import communities
from dive_infra.seeds.documents import CORNERSTONES, LARGEST, document, documents

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_a_document_depends_on_country_and_number_alone() -> None:
    assert documents(FRA, 50) == documents(FRA, 60)[:50]
    assert document(FRA, 42) == document(FRA, 42) != document(DEU, 42)


@pytest.mark.parametrize("count", [0, LARGEST + 1])
def test_a_number_of_documents_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 5000"):
        documents(FRA, count)


def test_every_pair_of_countries_has_permitted_and_refused_documents() -> None:
    fixed = {code: documents(Names(country), len(CORNERSTONES)) for code, country in COUNTRIES.items()}
    for owner, reader in permutations(COUNTRIES, 2):
        own = fixed[owner]
        open_to_all = [d for d in own if reader in d["releasabilityTo"] and not d["COI"]]
        assert {"UNCLASSIFIED", "RESTRICTED", "SECRET"} <= {d["classification"] for d in open_to_all}
        assert any(reader in d["releasabilityTo"] and d["COI"] == ["NATO"] for d in own)
        assert any(d["classification"] == "UNCLASSIFIED" and d["releasabilityTo"] == [owner] for d in own)


def test_the_archive_is_mixed() -> None:
    made = documents(FRA, 200)
    assert {d["classification"] for d in made} == set(LEVELS)
    assert len({d["title"] for d in made}) > 100
    assert all(set(d["COI"]) <= {row["_id"] for row in communities.definitions()} for d in made)


def test_no_document_carries_communities_that_exclude_each_other() -> None:
    exclusive = {row["_id"]: set(row["mutuallyExclusiveWith"]) for row in communities.definitions()}
    assert not [d["_id"] for d in documents(USA, 500) for tag in d["COI"] if exclusive[tag] & set(d["COI"])]
