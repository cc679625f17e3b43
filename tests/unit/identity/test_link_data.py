"""Both sides of a link, as data."""

from dataclasses import replace
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
        assert client["attributes"]["jwks.url"] == link_data.certificates(of, at)
        assert provider["config"]["issuer"] == of.issuer
        country = next(m for m in link_data.identity_provider_mappers(of) if m.name == "countryOfAffiliation")
        assert country.config["attribute.value"] == of.country.code
        assert provider["config"]["claimFilterValue"] == f"^{of.country.code}$"
        assert all(m.config["syncMode"] == "FORCE" for m in link_data.identity_provider_mappers(of))


def test_what_a_keycloak_asks_a_partner_elsewhere_goes_to_its_address_and_what_browsers_and_tokens_know_does_not() -> (
    None
):
    there = replace(FRA, domain="dive.example", address="192.0.2.7")
    here = replace(USA, domain="dive.example", address="192.0.2.1")
    provider: dict[str, Any] = link_data.identity_provider(here, there)
    beside: dict[str, Any] = link_data.identity_provider(replace(here, address=there.address), there)
    asked = {"tokenUrl": "token", "userInfoUrl": "userinfo", "logoutUrl": "logout", "jwksUrl": "certs"}
    urls = f"https://192.0.2.7:{there.port('keycloak')}/realms/{there.realm}/protocol/openid-connect"
    audience = {"clientAssertionAudience": beside["config"]["tokenUrl"]}
    assert provider["config"] == {**beside["config"], **audience, **{k: f"{urls}/{end}" for k, end in asked.items()}}
    assert "192.0.2.7" not in str(beside)
    client, known = (
        link_data.broker_client(at, there)["attributes"] for at in (here, replace(here, address="192.0.2.7"))
    )
    assert client == {
        **known,
        "jwks.url": f"{urls}/certs",
        "backchannel.logout.url": f"{urls}/logout/backchannel-logout",
    }


def test_a_person_who_was_recreated_at_home_is_refused_for_neither_name_nor_mail() -> None:
    username = next(m for m in link_data.identity_provider_mappers(FRA) if m.name == "username")
    assert "${CLAIM.sub}" in username.config["template"]
    assert realm_data.SETTINGS["duplicateEmailsAllowed"]
    assert not realm_data.SETTINGS["loginWithEmailAllowed"], "Keycloak refuses both at once"
