"""The administrator of a Keycloak."""

from collections.abc import Iterator

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import issue
from dive_infra.identity import comparison
from dive_infra.identity.comparison import Live
from dive_infra.identity.keycloak_admin import KeycloakAccess, KeycloakAdmin
from dive_infra.process.probe_cache import PROBES


@pytest.fixture
def _off_again() -> Iterator[None]:
    yield
    PROBES.disable()


@pytest.mark.usefixtures("_off_again")
def test_a_server_is_read_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever compares it, and by whoever looks for what no one declared: each logs in for itself."""
    asked: list[str] = []

    def read(_admin: KeycloakAdmin, of: Names) -> Live:
        asked.append(of.realm)
        return Live((of.realm,), {}, {})

    monkeypatch.setattr(comparison, "_read", read)
    names, ca = Names(COUNTRIES["FRA"]), issue("root", 30, authority=True).chain
    found = Live((names.realm,), {}, {})

    def look() -> None:
        with (
            KeycloakAdmin(KeycloakAccess(names.url("keycloak"), ca, "secret")) as one,
            KeycloakAdmin(KeycloakAccess("https://other", ca, "s")) as other,
        ):
            assert comparison.live(one, names) == comparison.live(other, names) == found

    PROBES.enable(60)
    look()
    assert asked == [names.realm]
    PROBES.disable()
    look()
    assert asked == [names.realm] * 3
