"""The normal form of a realm: Keycloak's partial export as a tree in which equal realms are equal.

A tree is `{kind: {name: object}}`, such as `tree["client"]["account"]`; the settings are `tree["realm"][<name>]`.
Objects in lists become mappings by their names, lists of plain values are sorted, ids become the names of what they
refer to, and what a server generates for itself (ids, keys, times) is left out. An unset value and an empty one are
the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

Tree = dict[str, Any]

# Identity, what Keycloak generates, and `access`, which says what the asking account may do.
# A secret is proven by its use (`checks.configuration`), not by comparison.
_GENERATED = frozenset(
    (
        "id",
        "_id",
        "internalId",
        "containerId",
        "parentId",
        "createdTimestamp",
        "secret",
        "registrationAccessToken",
        "access",
    )
)
_GENERATED_IN_CONFIG = frozenset(("clientSecret", "client.secret.creation.time"))
# Of key providers only: the material, which the export masks. `realm_keys` compares the keys themselves.
_KEY_MATERIAL = frozenset(("privateKey", "certificate", "secret", "kid"))
_KEY_PROVIDER = "KeyProvider"
_PROFILE_PROVIDER = "UserProfileProvider"
_PROFILE_KEY = "kc.user.profile.config"
_JSON_TEXTS = frozenset(("acr.loa.map", _PROFILE_KEY))
_LIST_SEPARATOR = "##"
_ID_TOKEN, _USER_INFO = "id.token.claim", "userinfo.token.claim"  # whether a mapper's claim is in one

# What names an object in a list, by the first of these that it has.
_NAMES = ("clientId", "alias", "username", "name", "condition", "executor", "id")
# The top level of an export -> the kind of its objects.
_KINDS = {
    "clients": "client",
    "clientScopes": "client scope",
    "identityProviders": "identity provider",
    "authenticationFlows": "login flow",
    "authenticatorConfig": "configuration of a login step",
    "requiredActions": "required action",
    "users": "service account",  # a partial export contains no other users
}
_APART = frozenset(
    (
        *("roles", "groups", "components", "identityProviderMappers", "scopeMappings", "clientScopeMappings"),
        *("clientProfiles", "clientPolicies"),
    )
)


def normal(export: Mapping[str, Any]) -> Tree:
    """Return the normal form of a partial export with clients, groups and roles."""
    plain = _Reader(export)
    name = str(export["realm"])
    settings = {k: v for k, v in export.items() if k not in _KINDS and k not in _APART}
    if attributes := export.get("attributes"):
        settings["attributes"] = {k: v for k, v in attributes.items() if not _repeats(settings, k, v)}
    tree: Tree = {"realm": {name: plain.value(settings)}}
    for key, kind in _KINDS.items():
        tree[kind] = plain.named(export.get(key) or ())
    tree["group"] = dict(_groups(plain, export.get("groups") or ()))
    roles = export.get("roles") or {}
    tree["role"] = plain.named(roles.get("realm") or ())
    tree["client role"] = {
        f"{client}/{role}": found
        for client, held in (roles.get("client") or {}).items()
        for role, found in plain.named(held).items()
    }
    for part, key in (("profile", "clientProfiles"), ("policy", "clientPolicies")):
        held = export.get(key) or {}
        tree[f"client {part}"] = plain.named(held.get("profiles" if part == "profile" else "policies") or ())
        if more := plain.named(held.get("globalProfiles" if part == "profile" else "globalPolicies") or ()):
            tree[f"global client {part}"] = more
    _components(tree, plain, export.get("components") or {})
    _provider_mappers(tree, export.get("identityProviderMappers") or (), plain)
    _scope_mappings(tree, export)
    return {kind: held for kind, held in tree.items() if held}


class _Reader:
    """Converts values; knows the names of everything in the export that has an id."""

    def __init__(self, export: Mapping[str, Any]) -> None:
        self._names: dict[str, str] = {}
        self._collect(export)

    def _collect(self, value: Any) -> None:
        if isinstance(value, Mapping):
            id_, name = value.get("id"), next((value[k] for k in _NAMES if value.get(k)), None)
            if isinstance(id_, str) and name != id_:
                self._names[id_] = str(name)
            for inner in value.values():
                self._collect(inner)
        elif isinstance(value, list):
            for inner in value:
                self._collect(inner)

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            if any(isinstance(v, Mapping) for v in value):
                return self.named(value)
            if key in _JSON_TEXTS and len(value) == 1:
                return self.value(value[0], key)
            return sorted(self._name(v) for v in value)
        if isinstance(value, str) and key in _JSON_TEXTS:
            with suppress(json.JSONDecodeError):  # else someone has changed it to what is none: compared as a text
                return self.value(json.loads(value))
        if isinstance(value, str) and _LIST_SEPARATOR in value:
            return sorted(value.split(_LIST_SEPARATOR))
        return self._name(value)

    def _name(self, value: Any) -> Any:
        return self._names.get(value, value) if isinstance(value, str) else value

    def _mapping(self, value: Mapping[str, Any]) -> Tree:
        found = {}
        for key, inner in value.items():
            if key == "protocolMappers":
                converted: Any = {m["name"]: self.mapper(m, "protocolMapper") for m in inner or ()}
            elif key == "authenticationExecutions":
                key, converted = "steps", self._steps(inner)
            elif key == "subComponents":
                converted = self.components(inner)
            elif key in ("config", "attributes") and isinstance(inner, Mapping):
                kept = {k: v for k, v in inner.items() if k not in _GENERATED_IN_CONFIG}
                converted = {k: self.value(v, k) for k, v in kept.items()}
                converted = {k: v for k, v in converted.items() if not is_unset(v)}
            elif key in _GENERATED:
                continue
            else:
                converted = self.value(inner, key)
            if not is_unset(converted):
                found[key] = converted
        return found

    def named(self, objects: Iterable[Any]) -> Tree:
        """Return objects by name, without it; a name that occurs again gets a number."""
        return _numbered(self._named(o) for o in objects)

    def _named(self, value: Any) -> tuple[str, Any]:
        key = next((k for k in _NAMES if value.get(k)), "")
        return str(value.get(key, "")), self._mapping({k: v for k, v in value.items() if k != key})

    def mapper(self, mapper: Mapping[str, Any], kind: str) -> Tree:
        """Return a mapper with its configuration, flat."""
        config = self._mapping({"config": mapper.get("config") or {}}).get("config", {})
        if kind == "protocolMapper" and _ID_TOKEN in config:
            config.setdefault(_USER_INFO, config[_ID_TOKEN])  # as Keycloak takes it, and writes it at the next change
        more = {k: mapper[k] for k in ("protocol", "consentRequired") if mapper.get(k)}
        return {"kind": mapper[kind], **more, **config}

    def _steps(self, executions: Iterable[Mapping[str, Any]]) -> Tree:
        """Return the steps of a flow in their order; `priority` keeps it in the comparison."""
        ordered = sorted(executions, key=lambda step: step.get("priority", 0))
        known = ("autheticatorFlow",)  # the older, misspelled copy of `authenticatorFlow`
        return _numbered(
            (
                str(step.get("flowAlias") or step.get("authenticator")),
                self._mapping({k: v for k, v in step.items() if k not in known}),
            )
            for step in ordered
        )

    def components(self, components: Mapping[str, Any]) -> Tree:
        """Return components by name (`component_names`)."""
        found: Tree = {}
        for name, type_, component in component_names(components):
            found[name] = converted = self._mapping({**component, "providerType": type_})
            if name.startswith(f"{_KEY_PROVIDER} "):
                config = converted.get("config", {})
                converted["config"] = {k: v for k, v in config.items() if k not in _KEY_MATERIAL}
        return found


def component_names(components: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return (name, type, component) of each: `<kind> <name>`, such as `KeyProvider rsa-generated`."""
    pairs = []
    for type_, held in sorted(components.items()):
        kind = type_.rsplit(".", 1)[-1]
        for component in held:
            below = f" ({component['subType']})" if component.get("subType") else ""
            name = f"{kind} {component.get('name') or component['providerId']}{below}"
            pairs.append((name, (type_, component)))
    return [(name, type_, component) for name, (type_, component) in _numbered(pairs).items()]


def _numbered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        place, number = name, 1
        while place in found:
            number += 1
            place = f"{name} #{number}"
        found[place] = value
    return found


def _repeats(settings: Mapping[str, Any], key: str, value: Any) -> bool:
    """Return True for an attribute that repeats a setting of the realm, as some writers add it."""
    held = settings.get(key)
    return held is not None and str(held).lower() == str(value).lower()


def _groups(plain: _Reader, groups: Iterable[Mapping[str, Any]], above: str = "") -> Iterator[tuple[str, Tree]]:
    """Return every group by its path without the first slash: `users`, `users/inner`."""
    for group in groups:
        name = f"{above}{group['name']}"
        yield name, plain.value({k: v for k, v in group.items() if k not in ("name", "subGroups")})
        yield from _groups(plain, group.get("subGroups") or (), f"{name}/")


def is_unset(value: Any) -> bool:
    """Return True for what Keycloak writes or leaves out alike."""
    return value is None or value in ("", {}, [])


def _components(tree: Tree, plain: _Reader, components: Mapping[str, Any]) -> None:
    """Add the components; the user profile is one of them, and is compared by its attributes."""
    found = plain.components(components)
    for name in [n for n in found if n.startswith(f"{_PROFILE_PROVIDER} ")]:
        profile = found[name].get("config", {}).pop(_PROFILE_KEY, None)
        if profile:
            tree["user attribute"] = profile.pop("attributes", {})
            tree["group of attributes"] = profile.pop("groups", {})
            tree["user profile"] = {"settings": profile}
            found.pop(name)
    tree["component"] = found


def _provider_mappers(tree: Tree, mappers: Iterable[Mapping[str, Any]], plain: _Reader) -> None:
    for mapper in mappers:
        provider = tree["identity provider"].setdefault(str(mapper["identityProviderAlias"]), {})
        provider.setdefault("mappers", {})[mapper["name"]] = plain.mapper(mapper, "identityProviderMapper")


def _scope_mappings(tree: Tree, export: Mapping[str, Any]) -> None:
    """Add the roles that a client or a client scope may pass on, under `realm` or the client that holds them."""
    held = [("realm", m) for m in export.get("scopeMappings") or ()]
    held += [(client, m) for client, found in (export.get("clientScopeMappings") or {}).items() for m in found]
    for holder, mapping in held:
        kind, name = (
            ("client", mapping["client"]) if mapping.get("client") else ("client scope", mapping["clientScope"])
        )
        owner = tree[kind].setdefault(str(name), {})
        owner.setdefault("scopeMappings", {})[holder] = sorted(mapping["roles"])
