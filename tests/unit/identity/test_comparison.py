"""A server compared with what it must hold: what differs, and who restores it."""

import copy
from typing import Any

import pytest

from dive_infra.catalog.keycloak import IMAGE
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.identity import administrators, comparison, desired_realm, pristine, realm_diff
from dive_infra.identity.comparison import Compared, Live, compare_realm
from dive_infra.identity.pristine import VERSION
from dive_infra.identity.realm_export import Tree
from dive_infra.identity.restoration import restores
from dive_infra.results.remedy import RemedyKind

USA, FRA, DEU = (Names(COUNTRIES[code]) for code in ("USA", "FRA", "DEU"))


def compared(change: Any, names: Names = FRA, partners: tuple[Names, ...] = (USA,)) -> list[Compared]:
    """What differs in a realm that is as expected except for `change`."""
    expected, declared = desired_realm.expected(names, partners), desired_realm.declared(names, partners)
    found = copy.deepcopy(expected)
    change(found)
    return [c for c in compare_realm(names.realm, expected, declared, found) if c.differences]


def test_the_file_of_the_catalogs_keycloak_exists() -> None:
    assert IMAGE.rpartition(":")[2] == VERSION
    assert pristine.file(VERSION).exists(), "see dive_infra/identity/pristine"
    with pytest.raises(pristine.NoPristineRealm, match=r"Keycloak 1\.0 ships is unknown: expected keycloak-1\.0\.json"):
        pristine.pristine("any", "1.0")


def test_a_realm_as_expected_differs_in_nothing() -> None:
    assert compared(lambda found: None) == []
    assert compared(lambda found: None, USA, (FRA, DEU)) == []


def test_every_declared_value_is_expected() -> None:
    """The overlay loses nothing: all that the tables declare is in the expected realm."""
    for names, partners in ((FRA, [USA]), (USA, [FRA, DEU])):
        expected, declared = desired_realm.expected(names, partners), desired_realm.declared(names, partners)
        for path, value in _leaves(declared):
            assert _at(expected, path) == value, path


def test_a_declared_value_needs_a_refresh_and_any_other_is_restored_by_the_update() -> None:
    [setting] = compared(lambda t: t["realm"][FRA.realm].update(accessTokenLifespan=1))
    assert (len(setting.declared), len(setting.uncovered)) == (1, 0)
    [other] = compared(lambda t: t["realm"][FRA.realm].update(otpPolicyDigits=8))
    assert (len(other.declared), len(other.uncovered)) == (0, 1)
    assert restores(other)
    [gone] = compared(lambda t: t["role"].pop("admin"))
    assert gone.missing
    assert gone.declared
    [shipped] = compared(lambda t: t["role"].pop("uma_authorization"))
    assert shipped.missing
    assert restores(shipped)


def test_what_belongs_to_an_extra_client_is_not_reported_twice() -> None:
    def stranger(tree: Tree) -> None:
        tree["client"]["stranger"] = {"enabled": True}
        tree["client role"]["stranger/power"] = {}
        tree["service account"]["service-account-stranger"] = {"serviceAccountClientId": "stranger"}

    [extra] = compared(stranger)
    assert (extra.kind, extra.name, extra.extra) == ("client", "stranger", True)
    assert realm_diff.removal(extra) == "client/stranger"


def _without_a_role(tree: Tree) -> None:
    """As Keycloak shows it when the only role of the default roles is deleted."""
    realm, default = tree["realm"][FRA.realm], tree["role"][f"default-roles-{FRA.realm}"]
    del tree["role"]["user"]
    del tree["group"]["users"]["realmRoles"]
    del default["composites"]
    default["composite"] = realm["defaultRole"]["composite"] = False


def _without_a_scope(tree: Tree) -> None:
    del tree["client scope"]["clearance"]
    lists = [tree["realm"][FRA.realm]["defaultDefaultClientScopes"]]
    lists += [client.get("defaultClientScopes", []) for client in tree["client"].values()]
    for scopes in lists:
        scopes[:] = [scope for scope in scopes if scope != "clearance"]


def _copied_flow(tree: Tree) -> None:
    tree["login flow"]["copied"] = {"topLevel": True}
    tree["realm"][FRA.realm]["browserFlow"] = "copied"


_UPDATE, _REFRESH, _DECIDE = RemedyKind.UPDATE, RemedyKind.REFRESH, RemedyKind.DECIDE


@pytest.mark.parametrize(
    ("change", "remedies"),
    [
        (_without_a_role, {_REFRESH, _UPDATE}),
        (_without_a_scope, {_REFRESH, _UPDATE}),
        (_copied_flow, {_DECIDE, _UPDATE}),
        (lambda t: t["group"].pop("users"), {_REFRESH}),
        (lambda t: t["role"].pop("uma_authorization"), {_UPDATE}),
        (lambda t: t["component"].pop("KeyProvider hmac-generated-hs512"), {_UPDATE}),
        (lambda t: t["client"][FRA.client]["protocolMappers"].update(more={"kind": "x"}), {_UPDATE}),
        (lambda t: t["client"][FRA.client].update(redirectUris=["*"]), {_REFRESH}),
        (lambda t: t["client"]["account-console"].update(redirectUris=["*"]), {_UPDATE}),
        (lambda t: t["realm"][FRA.realm].update(defaultGroups=["/admins"]), {_UPDATE}),
        (lambda t: t["client"].update(stranger={"enabled": True}), {_DECIDE}),
    ],
)  # fmt: skip
def test_a_finding_names_the_kind_of_remedy_that_the_tables_of_faults_expect(
    monkeypatch: pytest.MonkeyPatch, change: Any, remedies: set[RemedyKind]
) -> None:
    """Refresh what Pulumi declares, update what it does not cover, decide on what may belong to someone."""
    monkeypatch.setattr(realm_diff, "live", lambda *_: Live((), {}, {}))
    monkeypatch.setattr(realm_diff, "compare_all", lambda *_: compared(change))
    admin: Any = None
    found = realm_diff.compare(admin, FRA, [USA])
    assert {f.remedy.kind for f in found} == remedies


def test_administrative_roles_include_every_role_that_contains_one() -> None:
    tree = copy.deepcopy(pristine.pristine("test").realm)
    roles = administrators.administrative(tree, "test")
    assert ("realm-management", "realm-admin") in roles
    assert not any(client in ("", "account") for client, _ in roles)
    tree["role"]["helper"] = {"composites": {"client": {"realm-management": ["view-users"]}}}
    tree["role"]["helpers-helper"] = {"composites": {"realm": ["helper"]}}
    more = administrators.administrative(tree, "test")
    assert more - roles == {("", "helper"), ("", "helpers-helper")}


def test_master_expects_a_client_for_each_realm() -> None:
    master = desired_realm.expected_master(["one", "two"])
    assert {"one-realm", "two-realm", "master-realm", "dive-deployer"} <= master["client"].keys()
    assert {"one-realm", "two-realm"} <= master["role"]["admin"]["composites"]["client"].keys()
    assert administrators.administrative(master, comparison.MASTER) >= {("", "admin"), ("two-realm", "manage-users")}


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict) and tree:
        return [leaf for key, value in tree.items() for leaf in _leaves(value, (*path, key))]
    return [(path, tree)]


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key)
        if tree is None:
            return None
    return tree
