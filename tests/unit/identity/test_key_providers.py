"""The key providers that Keycloak ships: which are missing, what is recorded of them, and their rotation."""

import pytest

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import key_providers
from dive_infra.identity.comparison import Live
from dive_infra.identity.keycloak_admin import KeycloakAdmin
from tests.support.key_server import KeyServer

FRA = Names(COUNTRIES["FRA"])
SHIPPED = ["aes-generated", "hmac-generated-hs512", "rsa-enc-generated", "rsa-generated"]


@pytest.fixture
def server() -> KeyServer:
    return KeyServer(FRA)


def admin(server: KeyServer) -> KeycloakAdmin:
    return server  # type: ignore[return-value]


def kids(server: KeyServer) -> set[str]:
    return {c["key"]["kid"] for providers in server.providers.values() for c in providers}


def test_both_realms_ship_the_same_providers() -> None:
    assert {realm: sorted(found) for realm, found in key_providers.shipped(FRA).items()} == {
        FRA.realm: SHIPPED,
        "master": SHIPPED,
    }


def test_a_missing_provider_and_a_missing_realm_are_named(server: KeyServer) -> None:
    assert key_providers.missing(server.live, FRA) == []
    gone = server.providers["master"].pop()
    assert key_providers.missing(server.live, FRA) == [f"master/{gone['name']}"]
    master = {"master": server.live.exports["master"]}
    without = key_providers.missing(Live(("master",), master, {}), FRA)
    assert sorted(without)[:4] == [f"{FRA.realm}/{name}" for name in SHIPPED]


def test_a_rotation_replaces_every_key_and_creates_before_it_deletes(server: KeyServer) -> None:
    before, told = kids(server), list[tuple[str, list[str]]]()
    server.writes.clear()
    key_providers.rotate(admin(server), FRA, lambda realm, names: told.append((realm, names)))
    assert not before & kids(server)
    assert told == [(FRA.realm, SHIPPED), ("master", SHIPPED)]
    assert [w.split()[0] for w in server.writes] == (["create"] * 4 + ["delete"] * 4) * 2
    assert key_providers.missing(server.live, FRA) == []
    shipped = key_providers.shipped(FRA)[FRA.realm]
    assert {c["name"]: c["config"] for c in server.providers[FRA.realm]} == {n: c["config"] for n, c in shipped.items()}


def test_a_rotation_ends_what_an_interrupted_one_and_keycloak_have_left_and_nothing_else(server: KeyServer) -> None:
    path, component = f"/realms/{FRA.realm}/components", server.providers[FRA.realm][0]
    for name in (component["name"], "fallback-RS256", "foreign"):
        server.post(path, {**component, "name": name})
    key_providers.rotate(admin(server), FRA, lambda *_: None)
    assert sorted(c["name"] for c in server.providers[FRA.realm]) == sorted([*SHIPPED, "foreign"])


def test_only_what_a_run_has_created_or_accepts_is_recorded_again(server: KeyServer) -> None:
    def read() -> dict[str, key_providers.LiveKeys]:
        return {realm: key_providers.read(admin(server), realm) for realm in server.providers}

    first = key_providers.to_record({}, read(), {FRA.realm, "master"}, (), FRA)
    for realm in server.providers:
        for name in SHIPPED:
            server.replace(realm, name)
    live = read()
    assert key_providers.to_record(first, live, (), (), FRA) == first
    one = key_providers.to_record(first, live, (), {f"{FRA.realm}/rsa-generated"}, FRA)
    assert {k.provider for k in set(one[FRA.realm]) - set(first[FRA.realm])} == {"rsa-generated"}
    assert len(one[FRA.realm]) == 4
    assert one["master"] == first["master"]
    accepted = key_providers.to_record(first, live, {"master"}, (), FRA)
    assert accepted[FRA.realm] == first[FRA.realm]
    assert not set(accepted["master"]) & set(first["master"])
