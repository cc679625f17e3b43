"""Objects of Keycloak, as its provider writes them."""

from dive_infra.components.keycloak_objects import go_duration


def test_durations_read_as_the_provider_writes_them() -> None:
    assert [go_duration(s) for s in (30, 900, 8 * 3600)] == ["30s", "15m0s", "8h0m0s"]
