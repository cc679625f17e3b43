"""The hub's link gateway in front of a Keycloak that a test plays: what it forwards, refuses, deletes and repeats."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from dive_backend.links import BASE, LinkGateway, _Ask
from dive_common.problems import HttpProblem
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.identity import link_data, link_policy

USA, FRA, DEU = (Names(country) for country in (HUB, COUNTRIES["FRA"], COUNTRIES["DEU"]))
REALM = f"/admin/realms/{USA.realm}"
PROVIDER = f"identity-provider/instances/{link_data.identity_provider(USA, FRA)['alias']}"
LINK: dict[str, Any] = json.loads(link_policy.policy(USA, [FRA]))["countries"][link_policy.link_account(FRA)]
ALIAS: str = LINK["provider"]["alias"]


class Keycloak:
    """Answers as Keycloak does, and remembers the requests: `method path`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.valid = "token-1"
        self.issued = 0
        self.users: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/token"):
            self.issued += 1
            return httpx.Response(200, json={"access_token": f"token-{self.issued}", "expires_in": 60})
        if request.headers["authorization"] != f"Bearer {self.valid}":
            return httpx.Response(401)
        self.asked.append(f"{request.method} {path.removeprefix(REALM)}")
        if path == f"{REALM}/users":
            return httpx.Response(200, json=[{"id": k, "username": v} for k, v in self.users.items()][:2])
        if request.method == "DELETE" and path.startswith(f"{REALM}/users/"):
            del self.users[path.rpartition("/")[2]]
        if request.method == "POST" and path.endswith("/instances"):
            return httpx.Response(201, headers={"location": f"{USA.url('keycloak')}{path}/{ALIAS}"})
        return httpx.Response(200, json={}) if request.method == "GET" else httpx.Response(204)


@pytest.fixture
def keycloak() -> Keycloak:
    return Keycloak()


@pytest.fixture
def links(tmp_path: Path) -> Path:
    path = tmp_path / "links.json"
    path.write_text(link_policy.policy(USA, [FRA]))
    return path


@pytest.fixture
def gateway(keycloak: Keycloak, links: Path) -> LinkGateway:
    files: Any = SimpleNamespace(
        path=links.parent.joinpath,
        secret=lambda _: "secret",
        http=lambda: httpx.Client(transport=httpx.MockTransport(keycloak)),
    )
    return LinkGateway(files)


def _ask(method: str, path: str, body: object = None) -> _Ask:
    return _Ask(method, path, {}, b"" if body is None else json.dumps(body).encode())


def test_the_agreed_provider_is_created_and_its_location_stays_inside_the_gateway(
    gateway: LinkGateway, keycloak: Keycloak
) -> None:
    answer = gateway.carry_out(LINK, _ask("POST", "identity-provider/instances", LINK["provider"]))
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{BASE}{REALM}/{PROVIDER}")
    assert keycloak.asked == ["GET /users", "POST /identity-provider/instances"]


def test_with_a_link_its_users_are_deleted_page_by_page_and_the_cache_is_cleared(
    gateway: LinkGateway, keycloak: Keycloak
) -> None:
    keycloak.users = {str(number): f"{ALIAS}.person-{number}" for number in range(3)}
    assert gateway.carry_out(LINK, _ask("DELETE", PROVIDER)).status_code == 204
    pages = ["GET /users", "DELETE /users/0", "DELETE /users/1", "GET /users", "DELETE /users/2", "GET /users"]
    assert keycloak.asked == [*pages, "POST /clear-user-cache", f"DELETE /{PROVIDER}"]


def test_users_of_another_name_are_kept(gateway: LinkGateway, keycloak: Keycloak) -> None:
    keycloak.users = {"1": f"somebody-of-{ALIAS}.person"}
    gateway.carry_out(LINK, _ask("DELETE", PROVIDER))
    assert keycloak.users == {"1": f"somebody-of-{ALIAS}.person"}
    assert keycloak.asked == ["GET /users", f"DELETE /{PROVIDER}"]


def test_a_revoked_token_is_replaced_and_the_request_repeated(gateway: LinkGateway, keycloak: Keycloak) -> None:
    gateway.carry_out(LINK, _ask("GET", PROVIDER))
    keycloak.valid = "token-2"
    assert gateway.carry_out(LINK, _ask("GET", PROVIDER)).status_code == 200
    assert keycloak.issued == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("GET", "users", None, "GET users is not part of a link"),
        ("DELETE", f"identity-provider/instances/{DEU.idp_alias}", None, "belongs to another country's link"),
        ("PUT", PROVIDER, {**LINK["provider"], "trustEmail": True}, "differs from what was agreed"),
        ("POST", "clients", {"clientId": "stranger"}, "differs from what was agreed"),
        ("GET", "clients", None, "expected a search for the client"),
        ("POST", f"{PROVIDER}/mappers", {"name": "role"}, "is not part of this link"),
    ],
)
def test_what_is_not_the_countrys_own_link_is_refused(
    gateway: LinkGateway, keycloak: Keycloak, method: str, path: str, body: object, reason: str
) -> None:
    with pytest.raises(HttpProblem, match=reason) as refused:
        gateway.carry_out(LINK, _ask(method, path, body))
    assert refused.value.status == 403
    assert keycloak.asked == []


def test_an_account_that_is_not_in_the_policy_gets_no_token(gateway: LinkGateway, keycloak: Keycloak) -> None:
    form = {"grant_type": "client_credentials", "client_secret": "x"}
    assert gateway.login({**form, "client_id": link_policy.link_account(DEU)}).status_code == 401
    assert keycloak.issued == 0
    assert gateway.login({**form, "client_id": link_policy.link_account(FRA)}).status_code == 200


def test_a_country_that_joins_may_and_one_that_left_may_not_while_the_gateway_runs(
    gateway: LinkGateway, links: Path
) -> None:
    def status(country: Names) -> int:
        form = {"grant_type": "client_credentials", "client_secret": "x"}
        return gateway.login({**form, "client_id": link_policy.link_account(country)}).status_code

    assert (status(FRA), status(DEU)) == (200, 401)
    links.write_text(link_policy.policy(USA, [DEU]))
    assert (status(FRA), status(DEU)) == (401, 200)
    links.write_text("{}")
    assert (status(FRA), status(DEU)) == (401, 200), "the last good policy holds"


def test_keycloaks_refusal_of_the_gateway_is_503_and_names_what_was_asked(
    gateway: LinkGateway, keycloak: Keycloak
) -> None:
    keycloak.valid = "of no one"
    with pytest.raises(HttpProblem, match=r"Keycloak is unavailable: HTTP 401 for the users of ") as failed:
        gateway.carry_out(LINK, _ask("DELETE", PROVIDER))
    assert failed.value.status == 503
    assert keycloak.asked == []
