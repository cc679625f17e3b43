"""What the services believe of a partner's people: claims, tokens, the question to OPA, and what the portal shows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dive_common import agreements, tokens
from dive_common.agreements import BEYOND, Agreement
from dive_common.decisions import subject_of
from dive_common.live_file import LiveFile
from dive_common.partners import linked
from dive_common.problems import HttpProblem
from dive_common.settings import ResourceServerSettings, ServiceFiles
from dive_common.tokens import AccessTokens
from dive_frontend.pages import Pages
from dive_frontend.settings import PortalSettings, partners
from dive_infra.catalog.applications import PARTNERS, backend, frontend, kas
from dive_infra.catalog.spec import Material
from dive_infra.config import clearances
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership import document

USA, FRA, GBR = (Names(country) for country in (HUB, COUNTRIES["FRA"], COUNTRIES["GBR"]))
RSA = pki.rsa_key()
END = datetime(2027, 12, 31, tzinfo=UTC)
STATED = document.Agreement(clearance="SECRET", communities=("NATO", "FRA-US"), assurance=2, expires=END)
LIMITED = Agreement("SECRET", ("NATO", "FRA-US"))
FRENCH = {"iss": "x", "uniqueID": "anne", "countryOfAffiliation": "FRA", "clearance": "TOP_SECRET", "acpCOI": ["NATO"]}


def declared(**stated: document.Agreement) -> str:
    """Return `partners.json` of the USA, which all of its services have."""
    secrets = {row.name: RSA if row.kind == "rsa" else "secret" for row in CREDENTIALS}
    material = Material(secrets, "certificate", "key", "ca", {"USA": pki.public_key(RSA)}, "{}")
    texts = {make(USA, USA, [FRA, GBR], stated).files(material)[PARTNERS] for make in (backend, kas, frontend)}
    [text] = texts
    return text


def test_the_levels_are_those_of_the_deployment() -> None:
    assert agreements.LEVELS == clearances.LEVELS


def test_the_services_read_what_the_catalog_declares() -> None:
    assert linked(declared(FRA=STATED)) == {"FRA": replace(LIMITED, expires=END), "GBR": Agreement()}
    assert linked(declared()) == {"FRA": Agreement(), "GBR": Agreement()}
    assert [partner.code for partner in partners(declared(FRA=STATED)).offered] == ["FRA", "GBR"]
    assert "agreement" not in declared(), "as an earlier program wrote it"


@pytest.mark.parametrize(
    "agreement",
    [
        "null",
        "[]",
        '{"clearance": "SECRET", "communities": null}',
        '{"clearance": "SECRT", "communities": null, "expires": null}',
        '{"clearance": "SECRET", "communities": 1, "expires": null}',
        '{"clearance": "SECRET", "communities": null, "expires": "2027-12-31"}',
        '{"clearance": "SECRET", "communities": null, "expires": ""}',
    ],
)
def test_an_agreement_in_another_form_is_refused(agreement: str) -> None:
    """The file is then not used: a limit that cannot be read is never none."""
    with pytest.raises(ValueError, match=r"expected|not known|does not match"):
        linked(f'{{"partners": [{{"code": "FRA", "agreement": {agreement}}}]}}')


@pytest.mark.parametrize(
    ("asserted", "believed", "beyond"),
    [
        ({"clearance": "SECRET"}, {"clearance": "SECRET"}, {}),
        ({"clearance": "UNCLASSIFIED"}, {"clearance": "UNCLASSIFIED"}, {}),
        ({"clearance": "TOP_SECRET"}, {"clearance": "SECRET"}, {"clearance": "TOP_SECRET"}),
        ({"clearance": "COSMIC"}, {}, {"clearance": "COSMIC"}),
        ({"clearance": ""}, {}, {"clearance": ""}),
        ({"clearance": ["TOP_SECRET"]}, {}, {"clearance": ["TOP_SECRET"]}),
        ({}, {}, {}),
        ({"acpCOI": ["NATO"]}, {"acpCOI": ["NATO"]}, {}),
        ({"acpCOI": "NATO"}, {"acpCOI": "NATO"}, {}),
        ({"acpCOI": ["FVEY", "NATO"]}, {"acpCOI": ["NATO"]}, {"acpCOI": ["FVEY"]}),
        ({"acpCOI": "FVEY"}, {"acpCOI": []}, {"acpCOI": ["FVEY"]}),
        ({"acpCOI": [["NATO"]]}, {"acpCOI": []}, {"acpCOI": [["NATO"]]}),
        ({BEYOND: {"acpCOI": []}}, {}, {}),
    ],
)
def test_no_more_is_believed_than_the_agreement_says(
    asserted: dict[str, Any], believed: dict[str, Any], beyond: dict[str, Any]
) -> None:
    wanted = believed | ({BEYOND: beyond} if beyond else {})
    assert LIMITED.believed({"uniqueID": "anne", **asserted}) == {"uniqueID": "anne", **wanted}


def test_an_agreement_on_no_community_at_all_is_not_one_on_every_community() -> None:
    none = linked(declared(FRA=document.Agreement(communities=())))["FRA"]
    assert none.communities == ()
    assert none.believed({"acpCOI": ["NATO"]}) == {"acpCOI": [], BEYOND: {"acpCOI": ["NATO"]}}


def test_an_agreement_that_states_nothing_changes_no_claim() -> None:
    strange = {**FRENCH, "clearance": "COSMIC", "acpCOI": "FVEY"}
    assert Agreement().believed(strange) == strange
    assert not Agreement().ended(END + timedelta(days=9999))


def test_an_agreement_ends_at_its_moment() -> None:
    until = Agreement(expires=END)
    assert not until.ended(END - timedelta(seconds=1))
    assert until.ended(END)


def test_the_policy_is_asked_about_what_is_believed_and_knows_of_the_communities_that_are_not() -> None:
    """A document for one community alone is not opened by not believing in the others."""
    subject = subject_of(LIMITED.believed({**FRENCH, "acpCOI": ["NATO", "FVEY"]}))
    assert (subject["clearance"], subject["acpCOI"], subject["unbelievedCOI"]) == ("SECRET", ["NATO"], ["FVEY"])
    assert "unbelievedCOI" not in subject_of(LIMITED.believed(FRENCH)) | subject_of(FRENCH)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def verify(tmp_path: Path) -> Any:
    """Return a function that gives a person's token to the services of the USA, whose partners are declared so."""
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "1", "use": "sig"}

    def realm(request: httpx.Request) -> httpx.Response:
        metadata = {"issuer": USA.issuer, "jwks_uri": f"{USA.issuer}/certs"}
        return httpx.Response(200, json={"keys": [jwk]} if request.url.path.endswith("/certs") else metadata)

    def verified(person: Mapping[str, Any], **stated: document.Agreement) -> Mapping[str, Any]:
        (tmp_path / "partners.json").write_text(declared(**stated))
        settings = ResourceServerSettings(
            instance_code="USA", port=1, files=ServiceFiles(tmp_path), issuers=(USA.issuer,), opa_url=""
        )
        moment = int(datetime.now(UTC).timestamp())
        frame = {"iss": USA.issuer, "sub": "s", "iat": moment, "exp": moment + 60, "typ": "Bearer"}
        claims = {**person, **frame, "aud": tokens.PORTAL_AUDIENCE}
        token = jwt.encode(claims, KEY, "RS256", {"kid": "1"})
        http = httpx.Client(transport=httpx.MockTransport(realm))
        return AccessTokens(settings, http).verify(f"Bearer {token}")[1]

    return verified


def test_a_partners_person_counts_as_cleared_up_to_the_agreement_and_an_own_one_as_at_home(verify: Any) -> None:
    limits = {"FRA": STATED, "USA": STATED}
    assert verify(FRENCH, **limits)["clearance"] == "SECRET"
    assert verify(FRENCH)["clearance"] == "TOP_SECRET"
    assert verify({**FRENCH, "countryOfAffiliation": "GBR"}, **limits)["clearance"] == "TOP_SECRET"
    assert verify({**FRENCH, "countryOfAffiliation": "USA"}, **limits)["clearance"] == "TOP_SECRET"


def test_a_partners_person_is_refused_from_the_end_of_the_agreement_on(verify: Any) -> None:
    until = document.Agreement(expires=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(HttpProblem, match="the agreement on people of FRA ended at 20") as refused:
        verify(FRENCH, FRA=until)
    assert (refused.value.status, refused.value.details) == (403, {"check": "agreement"})
    assert verify({**FRENCH, "countryOfAffiliation": "USA"}, FRA=until)


@pytest.mark.parametrize("country", ["DEU", ["FRA"], 1])
def test_a_person_of_no_partner_is_refused(verify: Any, country: object) -> None:
    with pytest.raises(HttpProblem) as refused:
        verify({**FRENCH, "countryOfAffiliation": country})
    assert (refused.value.status, refused.value.details) == (403, {"check": "federation"})


def test_the_portal_shows_what_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "partners.json"
    file.write_text(declared(FRA=STATED))
    names = dict.fromkeys(("instance_name", "portal_url", "backend_url", "issuer", "client_id", "database_url"), "x")
    settings = PortalSettings(instance_code="USA", port=1, files=ServiceFiles(tmp_path), **names)
    pages = Pages(settings, LiveFile(file, partners))

    def home(person: Mapping[str, Any]) -> str:
        shown = pages.show("home.html", person=person, documents=[], following=None)
        return bytes(shown.body).decode()

    assert "beyondAgreement" not in home(FRENCH)
    assert "TOP SECRET, FVEY <span" in home(LIMITED.believed({**FRENCH, "acpCOI": ["FVEY"]}))
    assert ">FVEY <span" in home(LIMITED.believed({**FRENCH, "clearance": "SECRET", "acpCOI": ["FVEY"]}))
    assert ">TOP SECRET <span" in home(LIMITED.believed(FRENCH))
