"""The components of a realm and of a link, declared against mocks."""

import base64
from typing import Any

import pulumi
import pulumi_keycloak as keycloak
import pytest
from pulumi.runtime.mocks import MockMonitor

from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


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
    own = keycloak.Provider("own", url="https://127.0.0.1:1", client_id="c")
    on_own = pulumi.ResourceOptions(provider=own)
    Realm("realm", RealmArgs(USA, pulumi.Output.secret("s")), on_own)
    FederationLink("link", LinkArgs(FRA, USA, access), on_own)


def test_components_have_their_types_names_parents_and_providers(requests: list[Any]) -> None:
    _declared()
    components = {r.name: r.type for r in requests if not r.custom and r.type.startswith("dive:")}
    assert components == {
        "realm": "dive:components:Realm",
        "link": "dive:components:FederationLink",
    }
    children = [r for r in requests if r.custom and not r.type.startswith("pulumi:providers:")]
    for child in children:
        prefix = child.name.split("-")[0]
        assert prefix in components, child.name
        assert f"{components[prefix]}::" in child.parent, child.name
    links = [r for r in children if r.type == "keycloak:oidc/identityProvider:IdentityProvider"]
    assert {r.name: r.provider.split("::")[-2] for r in links} == {"link-idp": "own"}, (
        "the partner declares its own side"
    )


def test_dynamic_providers_are_pickled_by_reference(requests: list[Any]) -> None:
    _declared()
    pickles = [r.object["__provider"] for r in requests if r.type.startswith("pulumi-python:dynamic")]
    assert pickles
    for pickle in pickles:
        assert len(base64.b64decode(pickle)) <= 120
