"""Communities of interest."""

from dive_infra.config.communities import NATO
from dive_infra.config.countries import COUNTRIES
from dive_infra.seeds import communities


def test_all_23_communities_have_mutual_relations() -> None:
    rows = {row["_id"]: row for row in communities.definitions()}
    assert len(rows) == communities.COUNT == 23
    for one, row in rows.items():
        assert set(row["memberCountries"]) <= set(COUNTRIES)
        assert all(one in rows[other]["mutuallyExclusiveWith"] for other in row["mutuallyExclusiveWith"])
        assert all(one in rows[other]["supersetOf"] for other in row["subsetOf"])


def test_nato_has_its_32_members() -> None:
    assert len(NATO) == 32
