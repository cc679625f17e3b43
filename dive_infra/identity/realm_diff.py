"""The live realm compared with its tables: what is missing, extra or different, object by object."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dive_infra.config.countries import COUNTRIES
from dive_infra.config.environment import REMOVE
from dive_infra.config.naming import Names
from dive_infra.identity import desired_realm, realm_data
from dive_infra.identity.desired_realm import by, mapped
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.link_policy import GATEWAY, GATEWAY_ROLES, link_account
from dive_infra.identity.service_accounts import roles as account_roles
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy

# kind of object -> error code
_CODES = {"identity provider": Code.FEDERATION_LINK, "client scope": Code.SCOPES}


def _code(kind: str) -> Code:
    return _CODES.get(kind, Code.REALM)


def compare(admin: KeycloakAdmin, names: Names, partners: Sequence[Names]) -> list[Finding]:
    """Return one finding for each object that must exist, and one for each that must not.

    A spoke's `partners` is the hub, and the link must exist. The hub's are the countries it approves; their own stacks
    write their links, so a difference there names the stack that repairs it, and is advisory. Raises `KeycloakError`.
    """
    return _Inspection(admin, names, partners).findings()


def compare_link(admin: KeycloakAdmin, hub: Names, spoke: Names) -> list[Finding]:
    """Compare the hub's side of a spoke's link, as the spoke sees it through the hub. Raises `KeycloakError`."""
    realm, remedy = f"/realms/{hub.realm}", refresh(spoke)
    path = f"{realm}/identity-provider/instances/{spoke.idp_alias}"
    place = f"of the link at {hub.country.code}"
    try:
        found = desired_realm.brokered(admin.get(path), admin.get(f"{path}/mappers"))
        provider = _object("identity provider", f"{spoke.idp_alias} {place}", desired_realm.provider(hub, spoke), found)
    except NotFound:
        provider = _missing("identity provider", f"{spoke.idp_alias} {place}")
    clients = admin.get(f"{realm}/clients", clientId=spoke.client)
    wanted = desired_realm.clients(hub, [spoke])[spoke.client]
    client = (
        _object("client", f"{spoke.client} {place}", wanted, mapped(clients[0]))
        if clients
        else _missing("client", f"{spoke.client} {place}")
    )
    return [_with_remedy(f, remedy) for f in (provider, client)]


def refresh(names: Names) -> Remedy:
    return Remedy.refresh(names.country.code)


def removal(kind: str, name: str) -> str:
    """Return the name of an undeclared object in `DIVE_REMOVE`: `identity-provider/name`."""
    return f"{kind.replace(' ', '-')}/{name}"


class _Inspection:
    def __init__(self, admin: KeycloakAdmin, names: Names, partners: Sequence[Names]) -> None:
        self.admin, self.names, self.partners = admin, names, partners
        self.realm = f"/realms/{names.realm}"
        self.remedy = refresh(names)
        # Objects here that another country's stack owns.
        self.lent = {name: p for p in partners if names.country.is_hub for name in (p.client, p.idp_alias)}

    def findings(self) -> list[Finding]:
        try:
            live = self.admin.get(self.realm)
        except NotFound:
            gone = replace(_missing("realm", self.names.realm), found="no such realm")
            return [_with_remedy(gone, self.remedy)]
        profile = self.admin.get(f"{self.realm}/users/profile")
        policy = profile.get("unmanagedAttributePolicy", "DISABLED")
        found = [
            _object("realm", self.names.realm, realm_data.representation(self.names), live),
            *self._named("user attribute", realm_data.profile(), by(profile["attributes"], "name"), removable=False),
            *self._named("group of attributes", realm_data.profile_groups(), by(profile["groups"], "name"), False),
            _object("user profile", "policy", {"unmanaged": "DISABLED"}, {"unmanaged": policy}),
            *self._scopes(),
            *self._roles_and_groups(),
            *self._flow(),
            *self._clients(),
            *self._providers(),
            *self._accounts(),
        ]
        return [_with_remedy(f, self.remedy) for f in found]

    def _get(self, path: str, **params: str | int | bool) -> Any:
        return self.admin.get_cached(f"{self.realm}/{path}", **params)

    def _scopes(self) -> Iterable[Finding]:
        live = by((s for s in self._get("client-scopes") if s["name"] not in desired_realm.KEYCLOAKS_SCOPES), "name")
        yield from self._named("client scope", desired_realm.scopes(), {k: mapped(v) for k, v in live.items()})
        found = [s["name"] for s in self._get("default-default-client-scopes")]
        yield _object("default scopes", "list", {"names": realm_data.DEFAULT_SCOPES}, {"names": found})

    def _roles_and_groups(self) -> Iterable[Finding]:
        default = f"default-roles-{self.names.realm}"
        wanted, keycloaks = desired_realm.roles(self.names)
        yield from self._named(
            "role", wanted, by((r for r in self._get("roles") if r["name"] not in keycloaks), "name")
        )
        composites = [r["name"] for r in self._get(f"roles/{default}/composites")]
        yield _object("default roles", "list", {"names": realm_data.DEFAULT_ROLES}, {"names": composites})
        groups = by(self._get("groups"), "name")
        roles = {
            name: {"roles": [r["name"] for r in self._get(f"groups/{group['id']}/role-mappings/realm")]}
            for name, group in groups.items()
        }
        yield from self._named("group", desired_realm.groups(), roles)

    def _flow(self) -> Iterable[Finding]:
        name = realm_data.FIRST_LOGIN_FLOW
        try:
            steps = self._get(f"authentication/flows/{name}/executions")
        except NotFound:
            return [_missing("login flow", name)]
        found = [f"{step.get('providerId')} {step['requirement']}" for step in steps]
        return [_object("login flow", name, {"steps": desired_realm.FLOW_STEPS}, {"steps": found})]

    def _clients(self) -> Iterable[Finding]:
        live = by((c for c in self._get("clients") if c["clientId"] not in desired_realm.KEYCLOAKS_CLIENTS), "clientId")
        wanted = desired_realm.clients(self.names, self.partners)
        return self._named("client", wanted, {k: mapped(v) for k, v in live.items()})

    def _providers(self) -> Iterable[Finding]:
        path = "identity-provider/instances"
        live = {
            p["alias"]: desired_realm.brokered(p, self._get(f"{path}/{p['alias']}/mappers")) for p in self._get(path)
        }
        return self._named("identity provider", desired_realm.providers(self.names, self.partners), live)

    def _accounts(self) -> Iterable[Finding]:
        """Check the roles of the accounts that manage links, at the hub."""
        if not self.names.country.is_hub:
            return
        held = {GATEWAY: GATEWAY_ROLES, **dict.fromkeys(map(link_account, self.partners), ())}
        for account, roles in held.items():
            try:
                found = sorted(account_roles(self.admin, self.names.realm, account))
            except NotFound:
                continue  # reported with the clients
            yield replace(
                _object("account", account, {"roles": sorted(roles)}, {"roles": found}), remedy=Remedy.update()
            )

    def _named(
        self,
        kind: str,
        wanted: Mapping[str, Mapping[str, Any]],
        live: Mapping[str, Mapping[str, Any]],
        removable: bool = True,
    ) -> list[Finding]:
        there = [self._owned(n, _object(kind, n, wanted[n], live[n])) for n in wanted if n in live]
        missing = [_missing(kind, name) for name in wanted if name not in live and name not in self.lent]
        extra = [self._extra(kind, name, removable) for name in live if name not in wanted]
        return [*there, *missing, *extra]

    @property
    def _departed(self) -> set[str]:
        """Return, at the hub, the accounts of countries it does not approve; an update deletes dropped ones last."""
        return {link_account(self.names.of(c)) for c in COUNTRIES.values()} if self.names.country.is_hub else set()

    def _owned(self, name: str, finding: Finding) -> Finding:
        """Make a finding about an object of a partner's stack advisory."""
        partner = self.lent.get(name)
        if partner is None or finding.verdict == Verdict.VALID:
            return finding
        return replace(finding, advisory=True, remedy=refresh(partner))

    def _extra(self, kind: str, name: str, removable: bool) -> Finding:
        if name in self._departed:
            sentence = f"{kind} {name} is gone with its country"
            remedy = Remedy.update(self.names.country.code, "removes it at its end")
            found = "found, though its country is not approved"
            return Finding(sentence, Verdict.INVALID, "", found, remedy, advisory=True, subject=f"{kind} {name}")
        named = f"{REMOVE}={shlex.quote(removal(kind, name))} {UP}"
        by_hand = Remedy.decide(f"remove it by hand, or: {named}", country=self.names.country.code)
        remedy = by_hand if removable else NO_REMEDY
        return Finding(
            f"{kind} {name} is declared",
            Verdict.INVALID,
            "",
            "found but not declared",
            remedy,
            code=_code(kind),
            subject=f"{kind} {name}",
            undeclared=True,
        )


def _with_remedy(finding: Finding, remedy: Remedy) -> Finding:
    return finding if finding.verdict == Verdict.VALID or finding.remedy else replace(finding, remedy=remedy)


def _missing(kind: str, name: str) -> Finding:
    return Finding(f"{kind} {name} exists", Verdict.INVALID, "", "missing", code=_code(kind), subject=f"{kind} {name}")


def _object(kind: str, name: str, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Finding:
    off = list(_differences(wanted, live, ""))
    answer = Finding(f"{kind} {name} is as declared", Verdict.VALID)
    if not off:
        return answer
    expected_, found = ("; ".join(f"{key}: {pair[side]}" for key, *pair in off) for side in (0, 1))
    # These alone are seen by every update (`identity.undeclared`).
    seen = all(_uncovered(key, *pair) for key, *pair in off)
    remedy = Remedy.update() if seen else NO_REMEDY
    return Finding(answer.check, Verdict.INVALID, expected_, found, remedy, code=_code(kind), subject=f"{kind} {name}")


def _uncovered(key: str, wanted: Any, found: Any) -> bool:
    """Return True if no resource of Pulumi covers this: an extra mapper or step, the scopes of a client."""
    if key == "defaultClientScopes":
        return True
    if key == "steps":
        return set(wanted) < set(found)
    return wanted is None and isinstance(found, Mapping)


def _differences(wanted: Mapping[str, Any], live: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any, Any]]:
    """Return (key, wanted, found) for each wanted key and each undeclared mapper, which would change the tokens."""
    unwanted = set(live) - set(wanted) if prefix.endswith(("appers.", "config.")) else set[str]()
    for key in [*wanted, *sorted(unwanted)]:
        a, b = wanted.get(key), live.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, f"{prefix}{key}.")
        elif _plain(a) != _plain(b):
            yield f"{prefix}{key}", a, b


def _plain(value: Any) -> Any:
    """Return Keycloak's several spellings of a value as one: order of lists, `true` as text, unset as empty."""
    if isinstance(value, list | tuple):
        return sorted(map(str, value))
    if isinstance(value, str) and "##" in value:
        return sorted(value.split("##"))
    if value in (None, False, "false", "", {}):
        return ""
    return "true" if value is True else str(value)
