"""Identity without a server: the tables, what is declared from them, and what the link gateway lets through."""

import base64
import json
from typing import Any

import pulumi
import pulumi_keycloak as keycloak
import pytest
from pulumi.runtime.mocks import MockMonitor

from dive_backend.links import _same
from dive_common.problems import HttpProblem
from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.keycloak_objects import go_duration
from dive_infra.components.link_access import LinkAccess, LinkAccessArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.credentials import strong
from dive_infra.config.naming import Names
from dive_infra.identity import link_data, realm_data, users
from dive_infra.identity.clearances import LEVELS
from dive_infra.identity.link_policy import link_account, policy

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


def test_test_users_are_the_same_people_for_ever() -> None:
    people = {u.username: u for u in users.wanted(FRA)}
    assert list(people) == [*(f"testuser-fra-{n}" for n in range(1, 6)), "admin-fra"]
    assert people["testuser-fra-4"].id == "bf802004-9b68-5926-b780-11adb2b8f6e7"
    assert [u.clearance for u in people.values()] == [*LEVELS, "TOP_SECRET"]
    assert people["admin-fra"].coi == ("NATO", "FVEY")
    assert not {u.id for u in people.values()} & {u.id for u in users.wanted(USA)}


@pytest.mark.parametrize(
    ("password", "accepted"), [("A-long-Passphrase-1", True), ("Short-1", False), ("x" * 32, False), ("A1" * 16, False)]
)
def test_a_password_that_the_realm_would_refuse_is_known(password: str, accepted: bool) -> None:
    assert strong(password) is accepted


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


def test_a_countrys_policy_names_its_own_link_alone() -> None:
    countries = json.loads(policy(USA, [FRA, DEU]))["countries"]
    assert set(countries) == {link_account(FRA), link_account(DEU)}
    assert countries["dive-link-fra"]["provider"]["alias"] == "fra-idp"
    assert DEU.zone not in json.dumps(countries["dive-link-fra"])


@pytest.mark.parametrize(
    ("found", "agreed"),
    [
        ({"a": "true", "config": {"b": "x"}}, True),
        ({"a": True, "config": {"b": "x", "empty": "", "off": "false"}, "none": None, "id": "1"}, True),
        ({"a": True, "config": {"b": "y"}}, False),
        ({"a": True}, False),
        ({"a": True, "config": {"b": "x", "more": "1"}}, False),
        ({"a": True, "config": {"b": "x"}, "list": [{"c": "d"}]}, False),
    ],
)
def test_the_gateway_takes_the_agreed_object_and_no_other(found: dict[str, Any], agreed: bool) -> None:
    wanted = {"a": True, "config": {"b": "x"}}
    if agreed:
        _same("object", wanted, found)
        return
    with pytest.raises(HttpProblem, match="differs from what was agreed") as refused:
        _same("object", wanted, found)
    assert refused.value.status == 403


class _Monitor(MockMonitor):
    """Keeps whole requests: mocks see neither parents nor providers."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        return super().RegisterResource(request)


class _Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        raise AssertionError(f"{args.token}: a look-up needs the server in each preview")


@pytest.fixture(params=[True, False], ids=["preview", "update"])
def requests(request: pytest.FixtureRequest) -> list[Any]:
    monitor = _Monitor(_Mocks())
    pulumi.runtime.set_mocks(_Mocks(), preview=request.param, monitor=monitor)
    return monitor.requests


@pulumi.runtime.test
def _declared() -> None:
    access = {"url": "https://127.0.0.1:1", "ca": "", "client_secret": "s"}
    own, lent = (keycloak.Provider(name, url="https://127.0.0.1:1", client_id="c") for name in ("own", "lent"))
    on_own = pulumi.ResourceOptions(provider=own)
    Realm("realm", RealmArgs(USA, pulumi.Output.secret("s")), on_own)
    LinkAccess("access", LinkAccessArgs(USA, {"FRA": "s"}, "s", access), on_own)
    FederationLink("link", LinkArgs(FRA, USA, own, lent, access))


def test_components_have_their_types_names_parents_and_providers(requests: list[Any]) -> None:
    _declared()
    components = {r.name: r.type for r in requests if not r.custom and r.type.startswith("dive:")}
    assert components == {
        "realm": "dive:components:Realm",
        "access": "dive:components:LinkAccess",
        "link": "dive:components:FederationLink",
    }
    children = [r for r in requests if r.custom and not r.type.startswith("pulumi:providers:")]
    for child in children:
        prefix = child.name.split("-")[0]
        assert prefix in components, child.name
        assert f"{components[prefix]}::" in child.parent, child.name
    links = [r for r in children if r.type == "keycloak:oidc/identityProvider:IdentityProvider"]
    sides = {r.name: r.provider.split("::")[-2] for r in links}
    assert sides == {"link-fra-idp": "own", "link-usa-idp": "lent"}


def test_dynamic_providers_are_pickled_by_reference(requests: list[Any]) -> None:
    _declared()
    pickles = [r.object["__provider"] for r in requests if r.type.startswith("pulumi-python:dynamic")]
    assert pickles
    for pickle in pickles:
        assert len(base64.b64decode(pickle)) <= 120


def test_durations_read_as_the_provider_writes_them() -> None:
    assert [go_duration(s) for s in (30, 900, 8 * 3600)] == ["30s", "15m0s", "8h0m0s"]
