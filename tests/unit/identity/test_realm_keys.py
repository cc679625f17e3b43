"""The keys in force compared with the recorded ones."""

import json

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import key_providers, realm_keys
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from dive_infra.identity.realm_diff import compare_recorded
from dive_infra.identity.realm_keys import RealmKey
from dive_infra.results.finding import Finding, Verdict
from tests.support.key_server import KeyServer

FRA = Names(COUNTRIES["FRA"])


@pytest.fixture
def server() -> KeyServer:
    return KeyServer(FRA)


def admin(server: KeyServer) -> KeycloakAdmin:
    return server  # type: ignore[return-value]


def known(server: KeyServer) -> dict[str, tuple[RealmKey, ...]]:
    live = {realm: key_providers.read(admin(server), realm) for realm in server.providers}
    found = key_providers.to_record({}, live, set(live), set(), FRA)
    state = json.loads(json.dumps({realm: realm_keys.plain(keys) for realm, keys in found.items()}))
    return realm_keys.recorded(state)


def off(server: KeyServer, recorded: dict[str, tuple[RealmKey, ...]]) -> list[Finding]:
    found = compare_recorded(admin(server), FRA, server.live, recorded)
    return [finding for finding in found if finding.verdict != Verdict.VALID]


def kid(server: KeyServer, realm: str, provider: str) -> str:
    return next(c["key"]["kid"] for c in server.providers[realm] if c["name"] == provider)


def test_the_recorded_keys_are_valid(server: KeyServer) -> None:
    recorded = known(server)
    assert {realm: len(keys) for realm, keys in recorded.items()} == {FRA.realm: 4, "master": 4}
    assert {k.provider for k in recorded[FRA.realm] if k.thumbprint} == {"rsa-generated", "rsa-enc-generated"}
    assert off(server, recorded) == []
    assert len(compare_recorded(admin(server), FRA, server.live, recorded)) == 2, "one finding for each realm"


def test_a_symmetric_key_is_compared_by_its_id(server: KeyServer) -> None:
    """No answer holds more of it, so another key under its id is not seen, and one under another id is."""
    recorded = known(server)
    [hmac] = [c for c in server.providers[FRA.realm] if c["name"].startswith("hmac-generated")]
    assert "publicKey" not in hmac["key"]
    hmac["key"]["kid"] = "another"
    [red, gone] = off(server, recorded)
    assert "key another of provider hmac-generated" in red.headline
    assert "is gone or not in force" in gone.found


def test_a_state_that_orders_the_realms_in_another_way_holds_the_same_keys(server: KeyServer) -> None:
    """Pulumi keeps no order of the keys of an object; another text of the specification would run the phase again."""
    state = {realm: realm_keys.plain(keys) for realm, keys in known(server).items()}
    again = realm_keys.recorded(dict(reversed(state.items())))
    assert list(again.items()) == list(realm_keys.recorded(state).items())


def test_without_a_record_nothing_is_compared_and_no_request_is_made(server: KeyServer) -> None:
    server.get = None  # type: ignore[assignment,method-assign]
    assert compare_recorded(admin(server), FRA, server.live, {}) == []


@pytest.mark.parametrize("realm", [FRA.realm, "master"])
def test_a_key_in_force_that_is_not_recorded_is_a_finding(server: KeyServer, realm: str) -> None:
    recorded, first = known(server), kid(server, realm, "rsa-generated")
    foreign = server.replace(realm, "rsa-generated")
    red, gone = off(server, recorded)
    assert red.statement == (
        f"keys of realm {realm}: key {foreign} of provider rsa-generated (RS256, active); "
        f"expected the recorded keys {first}"
    )
    assert red.code == 1305
    assert red.remedy.choices == [
        "replace all of them by fresh ones: ./dive rotate-keys FRA",
        f"if you replaced it yourself: DIVE_ACCEPT_KEYS={realm} pulumi up -s fra",
    ]
    assert gone.found == f"key {first} of provider rsa-generated (RS256) is gone or not in force"
    assert gone.remedy == red.remedy


def test_another_key_with_the_same_id_is_recognised_by_its_public_half(server: KeyServer) -> None:
    recorded, first = known(server), kid(server, FRA.realm, "rsa-generated")
    server.replace(FRA.realm, "rsa-generated", kid=first)
    [red] = off(server, recorded)
    assert red.found == f"key {first} of provider rsa-generated (RS256, active) with another public key"


def test_a_symmetric_key_is_known_by_its_id(server: KeyServer) -> None:
    recorded = known(server)
    foreign = server.replace(FRA.realm, "hmac-generated-hs512")
    assert off(server, recorded)[0].found.startswith(f"key {foreign} of provider hmac-generated-hs512 (HS512, active)")


def test_a_key_that_only_verifies_counts_and_a_disabled_one_does_not(server: KeyServer) -> None:
    recorded = known(server)
    foreign = server.replace(FRA.realm, "rsa-generated", status="PASSIVE")
    assert f"key {foreign} of provider rsa-generated (RS256, passive)" in off(server, recorded)[0].found
    server.replace(FRA.realm, "rsa-generated", status="DISABLED")
    [gone] = off(server, recorded)
    assert gone.found.endswith("is gone or not in force")


def test_an_undeclared_or_missing_provider_is_left_to_the_comparison_of_components(server: KeyServer) -> None:
    recorded = known(server)
    component = dict(server.providers[FRA.realm][0])
    server.post(f"/realms/{FRA.realm}/components", {**component, "name": "foreign"})
    server.delete(f"/realms/{FRA.realm}/components/{component['id']}")
    assert off(server, recorded) == []
