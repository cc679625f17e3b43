"""Realms, people, links and logins on a real Keycloak: two countries' realms on one server, each at its own public URL.

What is declared is declared by Pulumi, each country's side of the link too.
"""

import json
import os
import random
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import jwt
import psycopg
import pytest

from dive_infra.catalog.datastores import postgres
from dive_infra.catalog.keycloak import keycloak
from dive_infra.catalog.spec import Material
from dive_infra.checks import configuration, deployment, seeding
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import SeedingSpec
from dive_infra.cli.environment import prepare
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto import pki
from dive_infra.dynamic.partner_people import PartnerPeopleProvider
from dive_infra.dynamic.realm_keys import RealmKeysProvider
from dive_infra.dynamic.undeclared import UndeclaredProvider
from dive_infra.engines.docker import engine
from dive_infra.identity import (
    comparison,
    desired_realm,
    federated_users,
    https,
    key_providers,
    pristine,
    realm_export,
    realm_keys,
    users,
)
from dive_infra.identity.browser import LoginFailed
from dive_infra.identity.departure import end_link
from dive_infra.identity.keycloak_admin import (
    Forbidden,
    KeycloakAccess,
    KeycloakAdmin,
    KeycloakUnreachable,
    NotFound,
)
from dive_infra.identity.pristine import MASTER, VERSION
from dive_infra.identity.realm_data import FIRST_LOGIN_FLOW
from dive_infra.identity.realm_diff import compare
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Finding
from dive_infra.results.remedy import RemedyKind
from tests.support import by_hand_at_keycloak as hand
from tests.support import realm_additions, realm_mutations
from tests.support.by_hand_at_keycloak import Hand
from tests.support.code_flow import LoginResult, login
from tests.support.lab import Lab

NAMESPACE = "tident"
PATIENCE = 60  # seconds for a request: others use the machine, and a realm is created in seconds
# Both realms are on the hub's server: the realm's own address makes it two.
PORTS = {"FRA": {"keycloak": Names(COUNTRIES["USA"], NAMESPACE).port("keycloak")}}
USA, FRA, DEU = (Names(COUNTRIES[code], NAMESPACE, "", PORTS) for code in ("USA", "FRA", "DEU"))
SECRETS = {row.name: f"Secret-of-{row.name}-1" for row in CREDENTIALS}
PASSWORD = "A-long-Passphrase-1"
PROGRAM = Path(__file__).parents[1] / "support" / "identity"
ROOT = Path(__file__).parents[2]


@dataclass
class Coalition:
    """The two countries under test; `admin` administers the server that holds both realms."""

    home: Path
    ca: str
    admin: KeycloakAdmin

    def declare(self, *arguments: str, linked: bool = True) -> None:
        """`pulumi up` of the test's program; fails with Pulumi's own words."""
        told = {
            "namespace": NAMESPACE,
            "ports": PORTS,
            "ca": self.ca,
            "deployer": SECRETS["keycloak-admin"],
            "portal": SECRETS["portal-client"],
            "users": PASSWORD,
            "linked": linked,
        }
        (self.home / "told.json").write_text(json.dumps(told))
        self.pulumi("up", "--yes", "--skip-preview", "--non-interactive", *arguments)

    def pulumi(self, *arguments: str) -> None:
        environment = os.environ | {
            "PULUMI_BACKEND_URL": self.home.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "only-for-tests",
            "PULUMI_CONFIG_PASSPHRASE_FILE": "",
            "IDENTITY_TEST": str(self.home / "told.json"),
            "PYTHONPATH": str(ROOT),
            "PULUMI_OPTION_POLICY_PACK": "",  # it judges the real program
        }
        command = ["pulumi", *arguments, "-s", "test"]
        done = subprocess.run(command, cwd=self.home / "program", env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]

    def login(self, portal: Names, via: Names, username: str, password: str = PASSWORD, **more: Any) -> LoginResult:
        return login(portal, via, username, password, SECRETS["portal-client"], self.ca, **more)

    def off(self, names: Names, partner: Names) -> list[str]:
        """What the inspection finds, without what is as it should be."""
        return [f.headline for f in self.compare(names, [partner]) if f.verdict != "valid"]

    def compare(self, names: Names, partners: Sequence[Names]) -> list[Finding]:
        """The findings of one realm; the other country's realm is on the same server."""
        return compare(self.admin, names, partners, [n.realm for n in (USA, FRA) if n is not names])


@pytest.fixture(scope="module")
def coalition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coalition]:
    home = tmp_path_factory.mktemp("identity")
    prepare()
    root = pki.issue("test coalition", 1, authority=True)
    hosts = [n.host(s) for n in (USA, FRA) for s in ("keycloak", "postgres")]
    leaf = pki.issue("tident", 1, pki.Issuer(root.chain, root.key), [*hosts, "localhost", LOOPBACK])
    material = Material(SECRETS, leaf.chain, leaf.key, root.chain)
    with closing(engine.client()) as client, _server(client, material):
        at_server = KeycloakAccess(USA.url("keycloak"), root.chain, SECRETS["keycloak-admin"])
        shutil.copytree(PROGRAM, home / "program")  # Pulumi writes beside it
        with KeycloakAdmin(at_server, PATIENCE) as admin:
            there = Coalition(home, root.chain, admin)
            there.pulumi("stack", "init")
            there.declare()
            yield there


@contextmanager
def _server(client: Any, material: Material) -> Iterator[None]:
    """The hub's Keycloak in its container, reachable under the names of both countries."""
    networks = [client.networks.create(names.network) for names in (USA, FRA)]
    there = Lab(client, USA, material)
    try:
        there.start(postgres(USA, USA), within=60)
        with psycopg.connect(
            host=LOOPBACK,
            port=USA.port("postgres"),
            user="postgres",
            password=SECRETS["postgres-superuser"],
            sslmode="require",
            autocommit=True,
        ) as superuser:
            superuser.execute(f"CREATE ROLE keycloak LOGIN PASSWORD '{SECRETS['keycloak-db']}'")
            superuser.execute("CREATE DATABASE keycloak OWNER keycloak")
        server = there.start(keycloak(USA, USA), within=180)
        networks[1].connect(server, aliases=[FRA.host("keycloak")])
        yield
    finally:
        there.close()
        for network in networks:
            network.remove()


def test_the_file_of_this_keycloak_says_what_it_ships(coalition: Coalition) -> None:
    ships = pristine.text(pristine.observe(coalition.admin))
    if os.environ.get("REGENERATE"):
        pristine.file(VERSION).write_text(ships)
    assert pristine.file(VERSION).read_text() == ships


def test_a_token_from_before_a_realm_shows_the_whole_realm(coalition: Coalition) -> None:
    """Sessions share a token: one that held the roles of its login would hide what was created since."""
    admin = coalition.admin
    admin.log_in()
    admin.post("/realms", {"realm": "later", "enabled": True})
    try:
        assert "later" in {realm["realm"] for realm in admin.get("/realms", briefRepresentation=True)}
        assert admin.get("/realms/later")["enabled"] is True
    finally:
        admin.delete("/realms/later")


def test_live_realms_are_what_is_declared_and_a_refresh_changes_nothing(coalition: Coalition) -> None:
    assert coalition.off(USA, FRA) == []
    assert coalition.off(FRA, USA) == []
    coalition.declare("--refresh", "--expect-no-changes")


@pytest.mark.parametrize(
    ("portal", "via", "username"),
    [(USA, FRA, "testuser-fra-4"), (FRA, USA, "testuser-usa-5"), (FRA, FRA, "admin-fra")],
    ids=["French at the USA", "American in France", "French at home"],
)
def test_people_log_in_and_bring_their_attributes(
    coalition: Coalition, portal: Names, via: Names, username: str
) -> None:
    result = coalition.login(portal, via, username)
    user = next(u for u in users.wanted(via) if u.username == username)
    away = () if portal is via else (via.host("keycloak"), portal.host("keycloak"))
    assert result.hosts == (portal.host("keycloak"), *away, portal.host("frontend"))
    for claims in (result.claims, result.identity):
        assert claims["uniqueID"] == username
        assert claims["clearance"] == user.clearance
        assert claims["countryOfAffiliation"] == via.country.code
        assert sorted(claims["acpCOI"]) == sorted(user.coi)
        assert claims["organization"] == user.organization
        assert claims["organizationType"] == "MIL"
        roles = {role for role in claims["realm_access"]["roles"] if not role.startswith("default-roles-")}
        assert roles == {"super_admin" if username.startswith("admin") else "user"}
    known_as = username if portal is via else f"{via.idp_alias}.{username}.{user.id}"
    assert result.claims["preferred_username"] == known_as
    assert result.claims["aud"] == "dive-v3-backend"
    assert result.claims["exp"] - result.claims["iat"] == 900


@pytest.mark.parametrize(
    ("more", "step", "found"),
    [
        ({"password": "wrong"}, "login", "Invalid username or password."),
        ({"override": {"code_challenge": None, "code_challenge_method": None}}, "redirect", "code_challenge_method"),
        ({"override": {"redirect_uri": "https://evil.localhost/callback"}}, "authorization request", "redirect_uri"),
        ({"override": {"kc_idp_hint": "deu-idp"}}, "authorization request", "a login form of its own"),
    ],
    ids=["wrong password", "no PKCE", "redirect not listed", "unknown country"],
)
def test_a_login_that_must_fail_says_where_and_why(
    coalition: Coalition, more: dict[str, Any], step: str, found: str
) -> None:
    with pytest.raises(LoginFailed) as failed:
        coalition.login(USA, FRA, "testuser-fra-1", **more)
    assert failed.value.step == step
    assert found in failed.value.found
    assert not failed.value.away


def test_a_wrong_client_secret_is_distinguished_from_a_wrong_password(coalition: Coalition) -> None:
    with pytest.raises(LoginFailed, match=r"token request.*401"):
        login(USA, FRA, "testuser-fra-1", PASSWORD, "wrong", coalition.ca)


def test_a_person_that_is_locked_out_is_named_and_let_in_again(coalition: Coalition) -> None:
    user = users.wanted(FRA)[2]
    for _ in range(6):
        with pytest.raises(LoginFailed, match="Invalid username or password"):
            coalition.login(FRA, FRA, user.username, "wrong")
    try:
        assert users.lockout(coalition.admin, FRA, user).startswith("locked out after ")
        with pytest.raises(LoginFailed, match="Invalid username or password"):
            coalition.login(FRA, FRA, user.username)  # the right one
    finally:
        users.unlock(coalition.admin, FRA, user)
    assert users.lockout(coalition.admin, FRA, user) == ""
    assert coalition.login(FRA, FRA, user.username).claims["uniqueID"] == user.username


def test_a_token_that_claims_another_country_is_refused(coalition: Coalition) -> None:
    user = users.wanted(FRA)[2]
    path = f"/realms/{FRA.realm}/users/{user.id}"
    changed = coalition.admin.get(path)
    changed["attributes"]["countryOfAffiliation"] = ["USA"]
    coalition.admin.put(path, changed)
    with pytest.raises(LoginFailed) as failed:
        coalition.login(USA, FRA, user.username)
    assert failed.value.host == USA.host("keycloak")
    assert f"fra-idp.{user.username}.{user.id}" not in federated_users.known(coalition.admin, USA.realm, FRA.idp_alias)
    assert users.repair(coalition.admin, FRA, dict.fromkeys(users.wanted(FRA), PASSWORD)) == {
        user.username: ["countryOfAffiliation"]
    }
    assert coalition.login(USA, FRA, user.username).claims["countryOfAffiliation"] == "FRA"


@pytest.mark.parametrize("same", ["username", "email"])
def test_an_account_that_exists_is_never_linked_and_holds_its_name_alone(coalition: Coalition, same: str) -> None:
    user = users.wanted(FRA)[1]
    known_as = f"fra-idp.{user.username}.{user.id}"
    taken = {"username": {"username": known_as}, "email": {"username": "other", "email": user.email}}
    local = coalition.admin.post(f"/realms/{USA.realm}/users", {"enabled": True, **taken[same]})
    try:
        if same == "username":
            with pytest.raises(LoginFailed, match="already exists"):
                coalition.login(USA, FRA, user.username)
        else:
            assert coalition.login(USA, FRA, user.username).claims["preferred_username"] == known_as
        assert coalition.admin.get(f"/realms/{USA.realm}/users/{local}/federated-identity") == []
    finally:
        coalition.admin.delete(f"/realms/{USA.realm}/users/{local}")


def test_a_person_who_was_recreated_at_home_logs_in_and_the_old_account_goes(coalition: Coalition) -> None:
    """Same name, mail and unique ID at home, another subject. The first account is named and an update deletes it."""
    home, there = f"/realms/{FRA.realm}/users", f"/realms/{USA.realm}/users"
    # A person whom no other test knows; every attribute is a test user's.
    like = users.wanted(FRA)[0].representation
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    person = {**{k: v for k, v in like.items() if k != "id"}, "username": "jane", "email": "jane@fra.example"}
    person["credentials"] = [password]
    accounts = []
    for _ in range(2):
        subject = coalition.admin.post(home, person)
        try:
            claims = coalition.login(USA, FRA, "jane").claims
        finally:
            coalition.admin.delete(f"{home}/{subject}")
        assert claims["preferred_username"] == f"fra-idp.jane.{subject}"
        accounts.append(claims["preferred_username"])
    old, new = accounts
    assert [*federated_users.superseded(coalition.admin, USA.realm, FRA.idp_alias)] == [old]
    access = {"url": USA.url("keycloak"), "ca": coalition.ca, "client_secret": SECRETS["keycloak-admin"]}
    spec = SeedingSpec(USA, (FRA, DEU), 1, {}, coalition.ca, "", access["client_secret"])
    french, german = seeding.partners(spec)
    assert (french.verdict, french.advisory, str(french.remedy)) == ("invalid", True, "pulumi up (deletes them)")
    assert french.found == f"1 left by people who were recreated at home ({old})"
    assert german.verdict == "valid"
    provider, inputs = PartnerPeopleProvider(), {"realm": USA.realm, "alias": FRA.idp_alias, "access": access}
    assert provider.drift_reason(inputs) == "1 account(s) of fra-idp belong to people who were recreated at home"
    provider.update_resource(inputs, inputs)
    assert provider.drift_reason(inputs) is None
    left = federated_users.known(coalition.admin, USA.realm, FRA.idp_alias)
    assert (old in left, new in left) == (False, True)
    coalition.admin.delete(f"{there}/{left[new]}")


def test_test_users_have_fixed_ids_and_only_what_differs_is_updated(coalition: Coalition) -> None:
    first, second, third, *rest = users.wanted(USA)
    path = f"/realms/{USA.realm}/users"
    coalition.admin.delete(f"{path}/{first.id}")
    coalition.admin.post(path, {"username": first.username, "enabled": True})  # the name with another id
    changed = coalition.admin.get(f"{path}/{second.id}")
    changed["attributes"]["clearance"] = ["TOP_SECRET"]
    coalition.admin.put(f"{path}/{second.id}", changed)
    group = coalition.admin.get(f"{path}/{third.id}/groups")[0]
    coalition.admin.delete(f"{path}/{third.id}/groups/{group['id']}")
    wrong = [f for f in users.compare_users(coalition.admin, USA, users.wanted(USA)) if f.verdict == "invalid"]
    assert [f.found for f in wrong] == ["user: missing", "clearance: ['TOP_SECRET']", "groups: []"]
    coalition.declare()  # without a refresh: the resource looks for itself
    assert all(f.verdict == "valid" for f in users.compare_users(coalition.admin, USA, users.wanted(USA)))
    assert {u["id"] for u in coalition.admin.get(path) if u["username"] in {first.username, rest[0].username}} == {
        first.id,
        rest[0].id,
    }


def test_what_is_missing_extra_or_different_is_named_and_a_refresh_heals_it(coalition: Coalition) -> None:
    realm = f"/realms/{USA.realm}"
    provider = coalition.admin.get(f"{realm}/identity-provider/instances/fra-idp")
    provider["config"]["filteredByClaim"] = "false"
    coalition.admin.put(f"{realm}/identity-provider/instances/fra-idp", provider)
    mappers = {m["name"]: m for m in coalition.admin.get(f"{realm}/identity-provider/instances/fra-idp/mappers")}
    coalition.admin.delete(f"{realm}/identity-provider/instances/fra-idp/mappers/{mappers['acpCOI']['id']}")
    changed = coalition.admin.get(realm)
    coalition.admin.put(realm, changed | {"accessTokenLifespan": 36000})
    coalition.admin.delete(f"{realm}/roles/admin")
    coalition.admin.post(f"{realm}/clients", {"clientId": "stranger"})
    found = "\n".join(coalition.off(USA, FRA))
    assert "accessTokenLifespan: 36000" in found
    assert "config.filteredByClaim: false; mappers.acpCOI: None" in found
    assert "role admin: missing" in found
    assert "client stranger: found but not declared" in found
    coalition.admin.delete(f"{realm}/clients/{coalition.admin.get(f'{realm}/clients', clientId='stranger')[0]['id']}")
    coalition.declare("--refresh")
    assert coalition.off(USA, FRA) == []


def test_deployment_proves_that_keycloak_answers_a_login(coalition: Coalition) -> None:
    account = SECRETS["keycloak-admin"]
    assert deployment.keycloak(USA, account, coalition.ca) == "logged in"
    with pytest.raises(CheckFailed, match="refused service account 'dive-deployer'"):
        deployment.keycloak(USA, "by-hand", coalition.ca)


def test_an_account_with_a_secret_from_before_a_change_gets_that_of_the_state(coalition: Coalition) -> None:
    """The account is the one with which everything else is restored, so the command goes through the database."""
    secret = SECRETS["keycloak-admin"]
    access = KeycloakAccess(USA.url("keycloak"), coalition.ca, secret)
    with KeycloakAdmin(access) as admin:
        admin.log_in()  # this token outlives the secret
        [account] = admin.get("/realms/master/clients", clientId=access.client_id)
        admin.put(f"/realms/master/clients/{account['id']}", {**account, "secret": "of-before-the-change"})
        with pytest.raises(CheckFailed, match="holds another secret than the state") as red:
            deployment.keycloak(USA, secret, coalition.ca)
        command, restart, _ = str(red.value.remedy).partition(" && ./dive restart USA keycloak")
        assert restart
        done = subprocess.run(command, shell=True, check=True, timeout=30, capture_output=True, text=True)
        assert done.stdout == "UPDATE 1\n"
        assert secret not in command
        admin.post("/realms/master/clear-realm-cache", {})  # as the restart does
    assert deployment.keycloak(USA, secret, coalition.ca) == "logged in"


def test_a_secret_is_proven_by_its_use_and_a_refresh_brings_it_back(coalition: Coalition) -> None:
    value, ca = SECRETS["portal-client"], coalition.ca
    assert configuration.secret(USA, USA.client, value, ca) == "accepted"
    path = f"/realms/{USA.realm}/clients/{_client_id(coalition, USA.client)}"
    coalition.admin.put(path, {**coalition.admin.get(path), "secret": "by-hand"})
    with pytest.raises(CheckFailed, match=r"refused \((unauthorized|invalid)_client") as red:
        configuration.secret(USA, USA.client, value, ca)
    assert str(red.value.remedy) == "pulumi up --refresh -s usa"
    assert value not in f"{red.value.found}{red.value.expected}"
    assert configuration.secret(USA, USA.client, "by-hand", ca) == "accepted"
    coalition.declare("--refresh")
    assert configuration.secret(USA, USA.client, value, ca) == "accepted"


def test_each_country_sees_and_repairs_its_own_side_of_a_link(coalition: Coalition) -> None:
    def off(own: Names, partner: Names) -> list[tuple[str, str]]:
        found = [f for f in coalition.compare(own, [partner]) if f.verdict != "valid"]
        assert {str(f.remedy) for f in found} <= {f"pulumi up --refresh -s {own.country.lower}"}
        assert not any(f.advisory for f in found)
        return [(f.subject, f.found) for f in found]

    sides = ((USA, FRA), (FRA, USA))
    for own, partner in sides:
        assert off(own, partner) == [], "regardless of the other's side"
        alias, client = partner.idp_alias, f"client {partner.client}"
        instance = f"/realms/{own.realm}/identity-provider/instances/{alias}"
        coalition.admin.put(instance, {**coalition.admin.get(instance), "enabled": False})
        assert off(own, partner) == [(f"identity provider {alias}", "enabled: False")]
        coalition.admin.delete(f"/realms/{own.realm}/clients/{_client_id(coalition, partner.client, own)}")
        assert (client, "missing") in off(own, partner)
    coalition.declare("--refresh")
    assert [off(*side) for side in sides] == [[], []]


def test_a_link_ends_at_once_and_what_is_left_of_it_is_reported_until_it_is_deleted(coalition: Coalition) -> None:
    """Pulumi deletes last: until then its parts are disabled, and enabled ones would be red."""
    assert coalition.login(USA, FRA, "testuser-fra-2").claims["countryOfAffiliation"] == "FRA"
    before = _inputs(coalition)
    provider, after = UndeclaredProvider(), {**before, "partners": []}
    try:
        provider.update_resource(after, before)
        provider.update_resource(after, before)  # an interrupted run is repeated
        with pytest.raises(LoginFailed):
            coalition.login(USA, FRA, "testuser-fra-2")
        assert federated_users.known(coalition.admin, USA.realm, FRA.idp_alias) == {}
        found = [f for f in coalition.compare(USA, []) if f.verdict != "valid"]
        assert {f.subject for f in found} == {f"identity provider {FRA.idp_alias}", f"client {FRA.client}"}
        assert all(f.advisory and f.found == "found, disabled" for f in found)
        instance = coalition.admin.get(_instances("fra-idp"))
        coalition.admin.put(_instances("fra-idp"), {**instance, "enabled": True})
        [red] = [f for f in coalition.compare(USA, []) if f.verdict != "valid" and not f.advisory]
        assert (red.subject, red.found) == (f"identity provider {FRA.idp_alias}", "found but not declared")
    finally:
        coalition.declare("--refresh")
    assert coalition.off(USA, FRA) == []


def test_an_account_of_an_earlier_version_is_disabled_and_reported_until_it_is_deleted(coalition: Coalition) -> None:
    """The hub's clients through which spokes managed their links: Pulumi deletes them at the end of an update."""
    provider, inputs = UndeclaredProvider(), _inputs(coalition)
    retired = {"clientId": "dive-link-fra", "serviceAccountsEnabled": True, "publicClient": False}
    client = coalition.admin.post(f"/realms/{USA.realm}/clients", retired)
    try:
        assert coalition.off(USA, FRA) == ["client dive-link-fra: found but not declared"]
        assert provider.drift_reason(inputs) == "client dive-link-fra of an earlier version: not as declared"
        provider.update_resource(inputs, inputs)
        [left] = [f for f in coalition.compare(USA, [FRA]) if f.verdict != "valid"]
        assert (left.subject, left.found, left.advisory) == ("client dive-link-fra", "found, disabled", True)
        assert provider.drift_reason(inputs) is None
    finally:
        coalition.admin.delete(f"/realms/{USA.realm}/clients/{client}")
    assert coalition.off(USA, FRA) == []


def test_what_no_refresh_sees_is_put_right_and_a_stranger_goes_when_it_is_named(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, admin = UndeclaredProvider(), coalition.admin
    inputs = _inputs(coalition)
    realm, portal = f"/realms/{USA.realm}", f"/realms/{USA.realm}/clients/{_client_id(coalition, USA.client)}"
    assert provider.drift_reason(inputs) is None
    claim = {"claim.name": "clearance", "claim.value": "TOP_SECRET", "access.token.claim": "true"}
    mapper = {"name": "more", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper"}
    admin.post(f"{portal}/protocol-mappers/models", {**mapper, "config": claim})
    admin.post(f"{_instances('fra-idp')}/mappers", {**_ROLE, "name": "more"})
    admin.post(f"{realm}/authentication/flows/{FIRST_LOGIN_FLOW}/executions/execution", {"provider": "idp-auto-link"})
    scope = next(s["id"] for s in admin.get(f"{realm}/client-scopes") if s["name"] == "acpCOI")
    admin.delete(f"{portal}/default-client-scopes/{scope}")
    admin.post(f"{realm}/clients", {"clientId": "stranger"})
    told = "\n".join(coalition.off(USA, FRA))
    for wrong in ("protocolMappers.more", "mappers.more", "idp-auto-link", "defaultClientScopes", "client stranger"):
        assert wrong in told
    coalition.declare("--refresh")
    assert len(coalition.off(USA, FRA)) == 5 - 1, "a refresh sees none of it (the portal has two)"
    drift = str(provider.drift_reason(inputs))
    for wrong in (
        f"defaultClientScopes, protocolMappers.more of client {USA.client}",
        "mappers.more of identity provider fra-idp",
        f"steps.idp-auto-link of login flow {FIRST_LOGIN_FLOW}",
    ):
        assert wrong in drift
    assert "stranger" not in drift
    provider.create_resource(inputs)
    assert coalition.off(USA, FRA) == ["client stranger: found but not declared"]
    monkeypatch.setenv("DIVE_REMOVE", "client/stranger")
    assert provider.drift_reason(inputs) == "client stranger: not as declared"
    provider.create_resource(inputs)
    assert coalition.off(USA, FRA) == []
    assert provider.drift_reason(inputs) is None


def test_a_password_that_was_changed_by_hand_is_reported_and_restored(coalition: Coalition) -> None:
    user = users.wanted(FRA)[0]
    path = f"/realms/{FRA.realm}/users/{user.id}"
    made = coalition.admin.get(path)["createdTimestamp"]
    time.sleep(max(0.0, made / 1000 + 6 - time.time()))
    other = {"type": "password", "value": "Another-Passphrase-of-somebody-1", "temporary": False}
    coalition.admin.put(f"{path}/reset-password", other)
    (red,) = [f for f in users.compare_users(coalition.admin, FRA, users.wanted(FRA)) if f.verdict != "valid"]
    assert "after the user was created" in red.found
    assert users.repair(coalition.admin, FRA, dict.fromkeys(users.wanted(FRA), PASSWORD)) == {user.username: []}
    assert coalition.login(FRA, FRA, user.username).claims["uniqueID"] == user.username


_UPDATED, _DECIDED = frozenset({RemedyKind.UPDATE}), frozenset({RemedyKind.DECIDE})


@dataclass(frozen=True)
class ByHand:
    """A change by hand. `remedies`: the kinds that its findings name; `removal`: its name in `DIVE_REMOVE`, if any."""

    damage: Callable[[Hand], object]
    remedies: frozenset[RemedyKind]
    removal: str = ""


_BY_HAND: dict[str, ByHand] = {
    "a foreign key provider": ByHand(hand.foreign_key, _DECIDED, "component/KeyProvider foreign"),
    "people from an LDAP server": ByHand(hand.ldap, _DECIDED, "component/UserStorageProvider foreign"),
    "another browser flow": ByHand(hand.bound_flow, _DECIDED | _UPDATED, "login-flow/copied"),
    "no password form": ByHand(hand.no_password, _UPDATED),
    "a required action for everybody": ByHand(hand.default_action, _UPDATED),
    "administrators by default": ByHand(hand.default_group, _UPDATED),
    "redirects to anywhere": ByHand(hand.redirects, _UPDATED),
    "a group that administers": ByHand(hand.group_administers, _UPDATED),
    "a person who administers": ByHand(hand.person_administers, _DECIDED, "administrator/testuser-usa-1"),
    "a role that administers": ByHand(hand.role_administers, _UPDATED),
    "a role": ByHand(hand.role, _DECIDED, "role/foreign"),
    "a group": ByHand(hand.group, _DECIDED, "group/foreign"),
    "a client scope": ByHand(hand.client_scope, _DECIDED, "client-scope/foreign"),
    "a client policy": ByHand(hand.client_policy, _DECIDED, "client-policy/foreign"),
    "another OTP policy": ByHand(hand.otp, _UPDATED),
    "an optional scope": ByHand(hand.optional_scope, _UPDATED),
    "a text of the login page": ByHand(hand.text, _UPDATED),
    "a service account that administers the server": ByHand(hand.master_client, _DECIDED, "master/client/foreign"),
    "a person who administers the server": ByHand(hand.master_person, _DECIDED, "master/administrator/foreign"),
    "another realm": ByHand(hand.realm, _DECIDED, "realm/foreign"),
    "a registration policy": ByHand(hand.registration_policy, _UPDATED),
    "a key provider is gone": ByHand(hand.key_provider_gone, _UPDATED),
    "another mapper in a built-in scope": ByHand(hand.builtin_scope, _UPDATED),
    "a built-in role is gone": ByHand(hand.role_gone, _UPDATED),
}


_FLOW = "another browser flow"  # which is also bound, and that any update undoes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make each change alone with --whole; else those together that go by the same command."""
    if "rows" not in metafunc.fixturenames:
        return
    rounds: dict[str, list[str]] = {row.replace(" ", "-"): [row] for row in _BY_HAND}
    if not metafunc.config.getoption("whole"):
        named = [row for row, change in _BY_HAND.items() if change.removal and row != _FLOW]
        rounds = {"named": named, "restored": [row for row in _BY_HAND if row not in named and row != _FLOW]}
        rounds["flow"] = [_FLOW]
    metafunc.parametrize("rows", rounds.values(), ids=rounds.keys())


def test_a_change_by_hand_is_seen_and_goes_by_the_command_that_the_finding_names(
    coalition: Coalition, rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coalition.off(USA, FRA) == []
    known: set[tuple[str, str]] = set()
    removals = [change.removal for change in map(_BY_HAND.__getitem__, rows) if change.removal]
    with closing(Hand(coalition.admin, USA)) as here:
        for row in rows:
            change = _BY_HAND[row]
            change.damage(here)
            seen = [f for f in coalition.compare(USA, [FRA]) if f.verdict == "invalid"]
            red = [f for f in seen if (f.check, f.found) not in known]
            known |= {(f.check, f.found) for f in red}
            assert red, f"{row} is unseen"
            assert not any(f.advisory for f in red)
            assert {f.remedy.kind for f in red} == change.remedies, red
            if change.removal:
                assert any(f"DIVE_REMOVE={shlex.quote(change.removal)} pulumi up" in str(f.remedy) for f in red), red
        drift = UndeclaredProvider().drift_reason(_inputs(coalition))
        assert (drift is None) is (bool(removals) and _FLOW not in rows), "what may belong to someone is not touched"
        monkeypatch.setenv("DIVE_REMOVE", ",".join(removals))
        assert UndeclaredProvider().drift_reason(_inputs(coalition))
        UndeclaredProvider().create_resource(_inputs(coalition))
        assert coalition.off(USA, FRA) == []
        assert UndeclaredProvider().drift_reason(_inputs(coalition)) is None


def test_a_foreign_key_under_a_shipped_provider_is_red_and_a_rotation_ends_it(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, inputs = RealmKeysProvider(), {**_inputs(coalition), "country": "FRA"}
    known = provider.create_resource(inputs)[1]
    signs = _signer(coalition)
    assert signs in [key["kid"] for key in known["recorded"][FRA.realm]]
    assert _other_keys(coalition, known) == []
    with closing(Hand(coalition.admin, FRA)) as here:
        hand.imported_key(here, pki.rsa_key(), coalition.ca)
    assert coalition.off(FRA, USA) == [], "the comparison of components alone sees nothing"
    foreign = _signer(coalition)
    [red, gone] = _other_keys(coalition, known)
    assert red.headline == (f"keys of realm {FRA.realm}: key {foreign} of provider rsa-generated (RS256, active)")
    assert red.expected == f"the recorded keys {signs}"
    assert gone.found == f"key {signs} of provider rsa-generated (RS256) is gone or not in force"
    assert "./dive rotate-keys FRA" in str(red.remedy)
    assert provider.drift_reason({**inputs, **known}) is None, "no update accepts it by itself"
    key_providers.rotate(coalition.admin, FRA, lambda realm, names: None)
    assert _other_keys(coalition, known), "not recorded yet"
    monkeypatch.setenv("DIVE_ACCEPT_KEYS", f"{FRA.realm},master")
    assert provider.drift_reason({**inputs, **known})
    fresh = provider.update_resource(inputs, {**inputs, **known})
    assert _other_keys(coalition, fresh) == []
    assert provider.drift_reason({**inputs, **fresh}) is None
    assert coalition.off(FRA, USA) == []
    assert _signer(coalition) in {key["kid"] for key in fresh["recorded"][FRA.realm]} - {signs, foreign}
    assert coalition.login(USA, FRA, "testuser-fra-4").claims["uniqueID"] == "testuser-fra-4", "a partner fetches them"


def test_no_answer_shows_a_symmetric_key(coalition: Coalition) -> None:
    shown = {"algorithm", "kid", "providerId", "providerPriority", "status", "type", "use"}
    keys = coalition.admin.get(f"/realms/{FRA.realm}/keys")["keys"]
    symmetric = [key for key in keys if key["type"] == "OCT"]
    assert {key["algorithm"] for key in symmetric} == {"AES", "HS512"}
    assert all(key.keys() <= shown for key in symmetric)
    held = {c["id"]: c for c in coalition.admin.get(f"/realms/{FRA.realm}/components", type=key_providers.TYPE)}
    assert {tuple(held[key["providerId"]]["config"].get("secret", ())) for key in symmetric} <= {(), ("**********",)}


def _signer(coalition: Coalition) -> str:
    """Log in and return the id of the key that signed the token."""
    return str(jwt.get_unverified_header(coalition.login(FRA, FRA, "admin-fra").access_token)["kid"])


def _other_keys(coalition: Coalition, known: dict[str, Any]) -> list[Finding]:
    found = compare(coalition.admin, FRA, [USA], [USA.realm], realm_keys.recorded(known["recorded"]))
    return [f for f in found if f.verdict != "valid"]


_SAMPLE = 20  # of changes, and as many additions


class Change(Protocol):
    """A change of one value, or an addition where nothing is set."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def made(self, admin: KeycloakAdmin) -> AbstractContextManager[bool]: ...


def test_every_value_that_can_be_changed_turns_the_realm_red(
    coalition: Coalition, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """And so does what is added where nothing is set. A sample of both by the day; all of them with `--whole`.

    Of realm and master. The server takes a change if it shows it; what it refuses or ignores counts for neither.
    """
    admin, whole = coalition.admin, bool(pytestconfig.getoption("whole"))
    trees = {
        USA.realm: (desired_realm.expected(USA, [FRA]), desired_realm.declared(USA, [FRA])),
        MASTER: (desired_realm.expected_master([USA.realm, FRA.realm]), {}),
    }

    def red(realm: str) -> list[str]:
        found = comparison.compare_realm(realm, *trees[realm], realm_export.normal(admin.export(realm)))
        return [f"{c.kind} {c.name}: {c.differences}" for c in found if c.differences]

    resources = {realm: list(realm_mutations.resources(admin, realm)) for realm in trees}
    for resource in (r for held in resources.values() for r in held if r.kind == "realm"):
        resource.write(admin, resource.read(admin))  # the first write of a realm adds what its settings leave out
    bodies = [(realm, resource, resource.read(admin)) for realm in trees for resource in resources[realm]]
    changed = [(realm, m) for realm, resource, body in bodies for m in realm_mutations.mutations(resource, body)]
    added = realm_additions.additions([(resource, body) for _, resource, body in bodies])
    of = {resource: realm for realm, resource, _ in bodies}
    everything: dict[str, list[tuple[str, Change]]] = {
        "changed": [(realm, m) for realm, m in changed if not m.exempt],
        "added": [
            *((of[addition.resource], addition) for addition in added if not addition.exempt),
            *((realm, request) for realm in trees for request in realm_additions.requests(admin, realm)),
        ],
    }
    assert not any(map(red, trees))
    seed = date.today().toordinal()
    failed: list[str] = []
    standing: dict[str, list[str]] = {realm: [] for realm in trees}  # what no update has restored
    for what, rows in everything.items():
        chosen = rows if whole else random.Random(seed).sample(rows, _SAMPLE)
        seen, unseen = Counter[str](), []
        for realm, change in chosen:
            taken = True
            try:
                with change.made(admin) as taken:
                    if taken and red(realm) != standing[realm]:
                        seen[change.kind] += 1
                    elif taken:
                        unseen.append(change.name)
            except DiveError as error:  # reported with all others at the end
                unseen.append(f"{change.name}: {error}")
            if taken and red(realm) != standing[realm]:  # Keycloak writes more than it is given at some changes
                with suppress(DiveError):
                    UndeclaredProvider().create_resource(_inputs(coalition))
                standing[realm] = red(realm)
        with capsys.disabled():
            total = seen.total() + len(unseen)
            print(f"\n{seen.total()} of {total} {what} values seen, of {len(rows)}; seed {seed}; {dict(seen)}")
        failed += unseen
        assert seen.total() > len(chosen) / 8, f"{what}: too few were taken"
    assert failed == []
    assert [found for realm in trees for found in red(realm)] == []


def _inputs(coalition: Coalition) -> dict[str, Any]:
    admin = coalition.admin
    return {
        "country": "USA",
        "namespace": NAMESPACE,
        "partners": ["FRA"],
        "access": {"url": admin.access.url, "ca": coalition.ca, "client_secret": admin.access.client_secret},
    }


def _instances(alias: str = "") -> str:
    return f"/realms/{USA.realm}/identity-provider/instances" + (f"/{alias}" if alias else "")


def _client_id(coalition: Coalition, client_id: str, names: Names = USA) -> str:
    return str(coalition.admin.get(f"/realms/{names.realm}/clients", clientId=client_id)[0]["id"])


_ROLE = {
    "name": "clearance",
    "identityProviderAlias": "fra-idp",
    "identityProviderMapper": "oidc-hardcoded-role-idp-mapper",
    "config": {"syncMode": "FORCE", "role": "realm-management.realm-admin"},
}


def test_three_different_answers(coalition: Coalition) -> None:
    with pytest.raises(NotFound, match="Realm not found"):
        coalition.admin.get("/realms/nowhere")
    at_server = coalition.admin.access
    with (
        KeycloakAdmin(KeycloakAccess(at_server.url, coalition.ca, "wrong")) as admin,
        pytest.raises(Forbidden, match="dive-deployer"),
    ):
        admin.get(f"/realms/{USA.realm}")
    nobody = f"https://{LOOPBACK}:{USA.port('kas')}"
    with (
        KeycloakAdmin(KeycloakAccess(nobody, coalition.ca, "x")) as admin,
        pytest.raises(KeycloakUnreachable, match="refused"),
    ):
        admin.get("/realms/master")
    other = pki.issue("another", 1, authority=True)
    with (
        KeycloakAdmin(KeycloakAccess(at_server.url, other.chain, "x")) as admin,
        pytest.raises(KeycloakUnreachable, match="CERTIFICATE"),
    ):
        admin.get("/realms/master")


def _refreshed(coalition: Coalition, session: LoginResult) -> int:
    """The status that Keycloak answers to the refresh token of a session in the realm of the USA."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": session.refresh_token,
        "client_id": USA.client,
        "client_secret": SECRETS["portal-client"],
    }
    with https.client(coalition.ca) as http:
        return http.post(f"{USA.issuer}/protocol/openid-connect/token", data=form).status_code


def test_a_partner_that_is_cut_off_has_no_login_and_no_session_until_the_link_is_declared_again(
    coalition: Coalition,
) -> None:
    foreign, own = coalition.login(USA, FRA, "testuser-fra-1"), coalition.login(USA, USA, "testuser-usa-1")
    assert _refreshed(coalition, foreign) == 200
    assert len(federated_users.known(coalition.admin, USA.realm, FRA.idp_alias)) >= 1
    end_link(coalition.admin, USA, FRA)
    assert federated_users.known(coalition.admin, USA.realm, FRA.idp_alias) == {}
    assert (_refreshed(coalition, foreign), _refreshed(coalition, own)) == (400, 200)
    for where, whose in ((USA, FRA), (FRA, USA)):
        with pytest.raises(LoginFailed):
            coalition.login(where, whose, f"testuser-{whose.country.lower}-1")
    end_link(coalition.admin, USA, FRA)  # once more is no error
    coalition.declare("--refresh")
    for where, whose in ((USA, FRA), (FRA, USA)):
        person = f"testuser-{whose.country.lower}-1"
        assert coalition.login(where, whose, person).claims["uniqueID"] == person


def test_people_come_back_through_links_that_were_removed_by_hand(coalition: Coalition) -> None:
    """More than once: Keycloak remembers who came through the link, and would let them in at the first login only."""
    sides = ((USA, FRA), (FRA, USA))
    for where, whose in sides:
        coalition.login(where, whose, f"testuser-{whose.country.lower}-1")
        coalition.admin.delete(f"/realms/{where.realm}/identity-provider/instances/{whose.idp_alias}")
    coalition.declare("--refresh")
    for where, whose in sides:
        person = f"testuser-{whose.country.lower}-1"
        for _ in range(3):
            assert coalition.login(where, whose, person).claims["uniqueID"] == person


def test_a_removed_link_leaves_nothing_behind_and_a_new_one_works(coalition: Coalition) -> None:
    coalition.login(USA, FRA, "testuser-fra-1")
    coalition.login(FRA, USA, "testuser-usa-1")
    coalition.declare(linked=False)
    for names, partner in ((USA, FRA), (FRA, USA)):
        realm = f"/realms/{names.realm}"
        assert coalition.admin.get(f"{realm}/identity-provider/instances") == []
        assert coalition.admin.get(f"{realm}/clients", clientId=partner.client) == []
        assert federated_users.known(coalition.admin, names.realm, partner.idp_alias) == {}
    coalition.declare()
    assert coalition.login(USA, FRA, "testuser-fra-1").claims["uniqueID"] == "testuser-fra-1"
    assert coalition.login(FRA, USA, "testuser-usa-1").claims["uniqueID"] == "testuser-usa-1"
