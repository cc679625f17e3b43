"""The realm of a country, as data."""

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import realm_data

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


@pytest.mark.parametrize(
    ("code", "default"), [("FRA", "fr"), ("USA", "en"), ("NOR", "no"), ("ALB", "en"), ("ISR", "en"), ("GRC", "el")]
)
def test_a_realm_speaks_its_countrys_language_when_keycloak_does(code: str, default: str) -> None:
    names = Names(COUNTRIES[code])
    assert realm_data.default_locale(names) == default
    assert default in realm_data.locales(names)


def test_people_see_the_core_attributes_and_only_administrators_edit_them() -> None:
    profile = realm_data.profile()
    for name in ("uniqueID", "clearance", "countryOfAffiliation", "acpCOI"):
        assert profile[name]["permissions"] == {"view": ["admin", "user"], "edit": ["admin"]}
