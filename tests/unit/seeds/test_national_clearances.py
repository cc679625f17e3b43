"""Clearances by nation."""

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.seeds import national_clearances

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_every_level_has_a_name_in_every_nation_of_the_table() -> None:
    rows = national_clearances.equivalency()
    assert [row["level"] for row in rows] == [0, 1, 2, 3, 4]
    assert {len(row["nationalEquivalents"]) for row in rows} == {13}
    assert national_clearances.national("FRA", "TOP_SECRET") == "TRÈS SECRET DÉFENSE"
    assert national_clearances.national("ISL", "TOP_SECRET") == "TOP SECRET"
