"""The normal form of an export: equal realms are equal, different ones are not."""

import copy
import json
import random
from typing import Any

import pytest

from dive_infra.identity.realm_export import normal
from dive_infra.identity.tree_diff import differences

EXPORT: dict[str, Any] = {
    "id": "r1",
    "realm": "test",
    "browserFlow": "browser",
    "supportedLocales": ["fr", "en"],
    "smtpServer": {},
    "attributes": {"acr.loa.map": '{"1": 1, "2": 2}', "frontendUrl": "https://idp"},
    "clients": [
        {
            "id": "c1",
            "clientId": "portal",
            "name": "Portal",
            "secret": "**********",
            "attributes": {"client.secret.creation.time": "17", "post.logout.redirect.uris": "a##b"},
            "authenticationFlowBindingOverrides": {"browser": "f1"},
            "protocolMappers": [
                {"id": "m1", "name": "aud", "protocol": "oidc", "protocolMapper": "audience", "config": {"a": "1"}}
            ],
        }
    ],
    "clientScopes": [{"id": "s1", "name": "basic", "protocol": "oidc"}],
    "scopeMappings": [{"clientScope": "basic", "roles": ["user"]}],
    "clientScopeMappings": {"portal": [{"client": "portal", "roles": ["b", "a"]}]},
    "roles": {
        "realm": [{"id": "x", "name": "user", "composites": {"realm": ["b", "a"]}, "containerId": "r1"}],
        "client": {"portal": [{"id": "y", "name": "reader", "containerId": "c1"}]},
    },
    "groups": [
        {"id": "g1", "name": "users", "path": "/users", "subGroups": [{"id": "g2", "name": "in", "path": "/users/in"}]}
    ],
    "identityProviders": [{"alias": "usa", "internalId": "i1", "config": {"clientSecret": "**********", "x": "y"}}],
    "identityProviderMappers": [
        {"id": "n", "name": "aud", "identityProviderAlias": "usa", "identityProviderMapper": "k", "config": {"c": "d"}}
    ],
    "authenticationFlows": [
        {
            "id": "f1",
            "alias": "browser",
            "authenticationExecutions": [
                {"authenticator": "second", "requirement": "REQUIRED", "priority": 20},
                {"authenticator": "first", "requirement": "DISABLED", "priority": 10},
            ],
        }
    ],
    "components": {
        "org.keycloak.keys.KeyProvider": [
            {"id": "k", "name": "rsa", "providerId": "rsa-generated", "config": {"kid": ["1"], "priority": ["100"]}}
        ],
        "a.ClientRegistrationPolicy": [
            {"id": "p1", "name": "Trusted", "subType": "anonymous", "config": {}},
            {"id": "p2", "name": "Trusted", "subType": "authenticated", "config": {}},
        ],
        "b.UserProfileProvider": [
            {
                "id": "u",
                "name": "profile",
                "config": {"kc.user.profile.config": [json.dumps({"attributes": [{"name": "email"}]})]},
            }
        ],
    },
    "clientPolicies": {"policies": [{"name": "strict", "enabled": True}]},
    "users": [{"id": "a", "username": "service-account-portal", "serviceAccountClientId": "portal"}],
}


def test_objects_are_found_by_kind_and_name() -> None:
    tree = normal(EXPORT)
    assert tree["client"]["portal"]["protocolMappers"]["aud"] == {"kind": "audience", "protocol": "oidc", "a": "1"}
    assert tree["client"]["portal"]["scopeMappings"] == {"portal": ["a", "b"]}
    assert tree["client scope"]["basic"]["scopeMappings"] == {"realm": ["user"]}
    assert tree["client"]["portal"]["attributes"] == {"post.logout.redirect.uris": ["a", "b"]}
    assert tree["identity provider"]["usa"]["mappers"]["aud"] == {"kind": "k", "c": "d"}
    assert set(tree["group"]) == {"users", "users/in"}
    assert set(tree["client role"]) == {"portal/reader"}
    assert list(tree["login flow"]["browser"]["steps"]) == ["first", "second"]
    assert set(tree["component"]) == {
        "KeyProvider rsa",
        "ClientRegistrationPolicy Trusted (anonymous)",
        "ClientRegistrationPolicy Trusted (authenticated)",
    }
    assert tree["user attribute"] == {"email": {}}
    assert tree["realm"]["test"]["attributes"]["acr.loa.map"] == {"1": 1, "2": 2}


def test_ids_become_names() -> None:
    assert normal(EXPORT)["client"]["portal"]["authenticationFlowBindingOverrides"] == {"browser": "browser"}


def test_neither_order_nor_ids_nor_what_is_generated_make_a_difference() -> None:
    other = _shuffled(copy.deepcopy(EXPORT), random.Random(1))
    text = json.dumps(other)
    for id_ in ("r1", "c1", "m1", "s1", "f1", "g1", "g2", "p1", "p2", "i1"):
        text = text.replace(f'"{id_}"', f'"other-{id_}"')
    other = json.loads(text.replace('"17"', '"18"').replace('["1"]', '["2"]'))
    assert differences(normal(EXPORT), normal(other)) == []


@pytest.mark.parametrize("seed", range(40))
def test_every_other_change_is_a_difference(seed: int) -> None:
    changed = copy.deepcopy(EXPORT)
    leaves = [leaf for leaf in _leaves(changed) if not _is_generated(leaf)]
    holder, key = leaves[seed * 7 % len(leaves)]
    holder[key] = _another(holder[key])
    assert differences(normal(EXPORT), normal(changed)), key


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return json.dumps({"attributes": []}) if value.startswith("{") else f"{value}x"


def _is_generated(leaf: tuple[Any, Any]) -> bool:
    holder, key = leaf
    return (
        key in ("id", "internalId", "containerId", "secret", "clientSecret", "client.secret.creation.time")
        or holder == ["1"]
        or (isinstance(holder, dict) and holder.get("name") == "profile")
    )


def _leaves(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found += _leaves(inner) if isinstance(inner, dict | list) else [(value, key)]
    return found


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(k, _shuffled(v, order)) for k, v in value.items()]
        order.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        items = [_shuffled(v, order) for v in value]
        order.shuffle(items)
        return items
    return value


def test_a_mapper_gives_the_user_information_what_it_gives_the_id_token() -> None:
    """Keycloak takes it so, and writes it down at the next change of the mapper."""
    config = {"id.token.claim": "true", "claim.name": "auth_time"}
    shipped = {"name": "auth_time", "protocolMapper": "oidc-usersessionmodel-note-mapper", "config": config}
    changed = {**shipped, "config": {**config, "userinfo.token.claim": "true"}}
    apart = {**shipped, "config": {**config, "userinfo.token.claim": "false"}}
    first, second, third = (
        normal({**EXPORT, "clientScopes": [{"id": "s1", "name": "basic", "protocolMappers": [mapper]}]})
        for mapper in (shipped, changed, apart)
    )
    assert first == second != third


def test_a_text_that_is_no_json_any_more_is_a_difference_and_no_crash() -> None:
    broken = {**EXPORT["attributes"], "acr.loa.map": '{"1": 1'}
    assert normal({**EXPORT, "attributes": broken}) != normal(EXPORT)
