"""The administrator of a Keycloak."""

from collections.abc import Iterator

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import issue
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.process.probe_cache import PROBES


@pytest.fixture
def _off_again() -> Iterator[None]:
    yield
    PROBES.disable()


@pytest.mark.usefixtures("_off_again")
def test_an_object_of_a_realm_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever compares the realm, and by whoever looks for what nobody declared: each logs in for itself."""
    asked: list[str] = []
    monkeypatch.setattr(KeycloakAdmin, "get", lambda self, path, **_: asked.append(path) or path)
    names, ca = Names(COUNTRIES["FRA"]), issue("root", 30, authority=True).chain
    clients = f"/realms/{names.realm}/clients"

    def look() -> None:
        with (
            KeycloakAdmin(KeycloakAccess(names.url("keycloak"), ca, "secret")) as one,
            KeycloakAdmin(KeycloakAccess("https://other", ca, "s")) as other,
        ):
            assert one.get_cached(clients) == other.get_cached(clients) == clients

    PROBES.enable(60)
    look()
    assert asked == [clients]
    PROBES.disable()
    look()
    assert asked == [clients] * 3
