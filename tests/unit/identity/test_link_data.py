"""Both sides of a link, as data."""

from typing import Any

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import link_data, realm_data

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def test_both_sides_of_a_link_fit() -> None:
    for at, of in ((USA, FRA), (FRA, USA)):
        provider: dict[str, Any] = link_data.identity_provider(at, of)
        client: dict[str, Any] = link_data.broker_client(of, at)
        assert provider["config"]["clientId"] == client["clientId"] == at.client
        assert client["redirectUris"] == [f"{at.issuer}/broker/{provider['alias']}/endpoint"]
        assert client["attributes"]["jwks.url"] == link_data.certificates(at)
        assert provider["config"]["issuer"] == of.issuer
        country = next(m for m in link_data.identity_provider_mappers(of) if m.name == "countryOfAffiliation")
        assert country.config["attribute.value"] == of.country.code
        assert provider["config"]["claimFilterValue"] == f"^{of.country.code}$"
        assert all(m.config["syncMode"] == "FORCE" for m in link_data.identity_provider_mappers(of))


def test_a_person_who_was_recreated_at_home_is_refused_for_neither_name_nor_mail() -> None:
    username = next(m for m in link_data.identity_provider_mappers(FRA) if m.name == "username")
    assert "${CLAIM.sub}" in username.config["template"]
    assert realm_data.SETTINGS["duplicateEmailsAllowed"]
    assert not realm_data.SETTINGS["loginWithEmailAllowed"], "Keycloak refuses both at once"
