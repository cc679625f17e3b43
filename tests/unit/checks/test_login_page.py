"""Whether people can start to log in, with the portal and the realm replaced."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dive_infra.checks import login_page, objects, runner
from dive_infra.identity import https
from dive_infra.results.finding import Finding
from tests.unit.checks.servers import Containers
from tests.unit.checks.specs import FRANCE, USA

FORM = """<form id="kc-form-login" action="/x"><input name="username"/><input name="password"/></form>"""
BUTTON = """<a id="social-usa-idp" href="#" data-link="/broker/usa-idp/login">United States</a>"""
COMPLAINT = """<div id="kc-error-message"><p class="instruction">Invalid parameter: redirect_uri</p></div>"""
PORTAL = FRANCE.url("frontend")


class World(Containers):
    """A portal that redirects to `endpoint` with `asked`, and a realm with a `page`; a `silent` host refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.endpoint = f"{FRANCE.issuer}/protocol/openid-connect/auth"
        self.asked = {
            "response_type": "code",
            "client_id": FRANCE.client,
            "redirect_uri": f"{PORTAL}/callback",
            "state": "s",
            "code_challenge": "c",
            "code_challenge_method": "S256",
        }
        self.page = FORM + BUTTON
        self.status = {"/login": 303}
        self.silent = ""
        self.seen: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.copy_with(query=None)}")
        if request.url.host == self.silent:
            raise httpx.ConnectError("[Errno 111] Connection refused")
        status = self.status.get(request.url.path, 200)
        if request.url.host == FRANCE.host("frontend"):
            if status != 303:
                return httpx.Response(
                    status, json={"error": "unavailable", "reason": "identity provider is unavailable"}
                )
            return httpx.Response(303, headers={"location": str(httpx.URL(self.endpoint, params=self.asked))})
        return httpx.Response(status, text=f"<html><title>Sign in</title>{self.page}</html>")

    def found(self) -> Finding:
        [finding] = runner.run(login_page.checks(FRANCE, [USA], "CA"), 5).findings
        return finding


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=httpx.MockTransport(made.answer)))
    monkeypatch.setattr(objects, "connect", lambda: made)
    return made


def test_a_portal_that_leads_to_the_login_form_is_valid_after_two_requests(world: World) -> None:
    assert (world.found().verdict, world.found().found) == ("valid", f"the login form of {FRANCE.host('keycloak')}")
    assert world.seen[:2] == [f"GET {PORTAL}/login", f"GET {world.endpoint}"]
    assert len(world.seen) == 4, "two for each check: nothing is sent that belongs to a person"


CHANGES: list[tuple[str, Callable[[World], Any], int, str, str]] = [
    ("another client", lambda w: w.asked.update(client_id="x"), 1404, "client_id x", "./dive restart FRA frontend"),
    (
        "another address to return to",
        lambda w: w.asked.update(redirect_uri="https://x/"),
        1404,
        "redirect_uri https://x/",
        "./dive restart FRA frontend",
    ),
    (
        "no PKCE",
        lambda w: w.asked.pop("code_challenge_method"),
        1404,
        "code_challenge_method None",
        "./dive restart FRA frontend",
    ),
    (
        "another realm",
        lambda w: setattr(w, "endpoint", "https://elsewhere.test/auth"),
        1404,
        "endpoint https://elsewhere.test/auth",
        "./dive restart FRA frontend",
    ),
    (
        "an error page",
        lambda w: setattr(w, "page", COMPLAINT),
        1403,
        "'Invalid parameter: redirect_uri'",
        "pulumi up --refresh -s fra",
    ),
    ("another page", lambda w: setattr(w, "page", ""), 1403, "200 'Sign in'", "pulumi up --refresh -s fra"),
    (
        "a form without a password",
        lambda w: setattr(w, "page", w.page.replace("password", "code")),
        1404,
        "no field password",
        "pulumi up --refresh -s fra",
    ),
    (
        "a page without the partner",
        lambda w: setattr(w, "page", FORM),
        1404,
        "no button usa-idp",
        "pulumi up --refresh -s fra",
    ),
    (
        "a portal that refuses",
        lambda w: w.status.update({"/login": 404}),
        1403,
        "found 404",
        "pulumi up --refresh -s fra",
    ),
    (
        "a portal that cannot",
        lambda w: w.status.update({"/login": 503}),
        1403,
        "identity provider is unavailable",
        "pulumi up -s fra",
    ),
]


@pytest.mark.parametrize(("change", "code", "found", "remedy"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_keeps_people_from_logging_in_is_named(
    world: World, change: Callable[[World], Any], code: int, found: str, remedy: str
) -> None:
    change(world)
    finding = world.found()
    assert (finding.verdict, finding.code, str(finding.remedy)) == ("invalid", code, remedy), finding
    assert found in finding.found
    assert finding.expected


def test_no_request_follows_the_portal_to_another_realm(world: World) -> None:
    world.endpoint = "https://elsewhere.test/auth"
    world.found()
    assert world.seen == [f"GET {PORTAL}/login"]


@pytest.mark.parametrize("service", ["frontend", "keycloak"])
def test_a_service_that_is_down_is_the_cause_and_no_damage(world: World, service: str) -> None:
    world.silent = FRANCE.host(service)
    assert (world.found().verdict, world.found().code) == ("invalid", 1403)
    world.stopped.add(FRANCE.container(service))
    stopped = world.found()
    assert (stopped.verdict, str(stopped.remedy)) == ("unknown", "pulumi up -s fra")
    assert stopped.found == f"{FRANCE.container(service)} is stopped (exit code 0)"
