"""What a program sees of a signed-in person's session at the portal, and how it gets there."""

from collections.abc import Iterator

import httpx
import pytest

from dive_infra.checks import verification
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import Party
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.login import login
from dive_infra.seeds.documents import document
from tests.providers import test_services as services
from tests.providers.test_services import AMERICAN, FRA, FRENCH, ISSUER, USA
from tests.support.lab import Lab

country = services.country
GBR = Names(COUNTRIES["GBR"], "t-services")  # not linked with France
PORTAL = FRA.url("frontend")
JSON = {"accept": "application/json"}
SIGNS_IN = FRA.host("opal-server")  # where the test's issuer is; it knows everybody, and asks for no password


@pytest.fixture
def stranger(country: Lab) -> Iterator[httpx.Client]:
    """A program without a session."""
    with https.client(country.material.ca, timeout=20) as http:
        yield http


def _hosts(names: Names) -> tuple[str, str, str]:
    return (names.host("frontend"), SIGNS_IN, names.host("frontend"))


@pytest.mark.parametrize(("via", "person"), [(FRA, FRENCH), (USA, AMERICAN)], ids=["at home", "from a partner"])
def test_a_session_shows_who_is_signed_in_and_keeps_its_tokens(
    country: Lab, via: Names, person: dict[str, str]
) -> None:
    with login(FRA, via, "anybody", "no matter", country.material.ca) as session:
        assert session.hosts == _hosts(FRA)
        assert session.issuer == ISSUER
        assert {name: session.claims[name] for name in person} == person
        answer = session.http.get(f"{PORTAL}/session")
    assert answer.json().keys() == {"claims", "issuer", "expires"}
    assert "eyJ" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_program_reads_what_a_person_would_and_learns_why_not(country: Lab) -> None:
    with login(FRA, USA, "anybody", "no matter", country.material.ca) as session:
        opened, refused = session.document("doc-fra-000005"), session.document("doc-fra-000007")
        page = session.http.get(f"{PORTAL}/documents/doc-fra-000005", headers={"accept": "text/html,*/*;q=0.8"})
        unknown = session.document("doc-fra-999999")
    assert (opened.status_code, opened.json()["content"]) == (200, document(FRA, 5)["content"])
    assert refused.status_code == 403
    assert refused.json().keys() == {"reason", "check"}
    assert refused.json()["check"] == "country"
    assert "text/html" in page.headers["Content-Type"]
    assert (unknown.status_code, unknown.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/session", "/documents/doc-fra-000001"])
def test_a_program_without_a_session_is_401(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(f"{PORTAL}{path}", headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    stranger.cookies.set("__Host-dive-session", "of-somebody", domain=FRA.host("frontend"))
    assert stranger.get(f"{PORTAL}{path}", headers=JSON).status_code == 401


def test_a_login_by_another_way_than_the_link_proves_nothing(country: Lab) -> None:
    with pytest.raises(CheckFailed) as caught:
        verification.visit(FRA, FRA, Party(USA, "no matter"), country.material.ca, 60)
    assert SIGNS_IN in caught.value.found
    assert USA.host("keycloak") in caught.value.expected


def test_what_time_may_resolve_is_distinguished_from_a_refusal(country: Lab) -> None:
    with pytest.raises(LoginFailed, match="404") as refused, login(FRA, GBR, "x", "x", country.material.ca):
        pass
    assert not refused.value.away
    for service, found in (("postgres", "503"), ("frontend", "refused")):
        with (
            services._without(country, service),
            pytest.raises(LoginFailed, match=found) as failed,
            login(FRA, USA, "x", "x", country.material.ca),
        ):
            pass
        assert failed.value.away, service
