"""A wrong setting is refused before anything is touched, with its key, its value and what was expected."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic.alias_generators import to_camel

from dive_infra.config.paths import ROOT
from dive_infra.config.settings import Settings, SettingsError, load
from dive_infra.crypto import pki


def test_a_stack_called_by_its_country_needs_no_settings() -> None:
    settings = load("fra", {})
    assert settings.country == "FRA"
    assert [p.country.code for p in settings.linked] == ["USA"]
    assert (settings.documents, settings.verification.max_age, settings.disposable) == (200, 300, False)


def test_the_hub_is_linked_to_the_countries_it_approves() -> None:
    settings = load("usa", {"dive:spokes": '["FRA", "GBR"]'})
    assert settings.is_hub
    assert [p.country.code for p in settings.linked] == ["FRA", "GBR"]


def test_a_spoke_is_linked_to_the_hub_and_to_the_partners_that_it_names() -> None:
    settings = load("fra", {"dive:partners": '["GBR"]'})
    assert [p.country.code for p in settings.linked] == ["USA", "GBR"]


@pytest.mark.parametrize(
    ("stack", "given"), [("usa", {"dive:spokes": ["FRA", "GBR"]}), ("fra", {"dive:partners": ["GBR"]})]
)
def test_a_country_is_not_linked_to_a_partner_that_is_cut_off(stack: str, given: dict[str, list[str]]) -> None:
    [first, second] = load(stack, given).declared
    assert [p.country.code for p in load(stack, given | {"dive:cut": [first]}).linked] == [second]


@pytest.mark.parametrize(
    "written",
    [
        "2027-12-31T00:00:00Z",
        "2027-12-31 00:00:00 +0000 UTC",
        yaml.safe_load("2027-12-31T00:00:00Z"),
        yaml.safe_load("2027-12-31T01:00:00+01:00"),
    ],
    ids=["text", "as Pulumi passes on what YAML reads as a moment", "as YAML reads it", "of another zone"],
)
def test_an_agreement_is_taken_as_it_is_stated_and_what_is_not_stated_is_not_limited(written: object) -> None:
    given = {"FRA": {"clearance": "SECRET", "communities": [], "expires": written}, "USA": {}}
    stated = load("usa", {"dive:spokes": ["FRA"], "dive:agreements": given}).agreements
    assert stated["FRA"].model_dump() == {
        "clearance": "SECRET",
        "communities": (),
        "assurance": None,
        "expires": datetime(2027, 12, 31, tzinfo=UTC),
    }
    assert stated["USA"].model_dump(exclude_none=True) == {}


def test_keys_of_other_packages_are_left_to_them() -> None:
    assert load("fra", {"docker:host": "unix:///x", "dive:documents": "5000"}).documents == 5000


@pytest.mark.parametrize(
    ("stack", "key", "value", "told"),
    [
        ("fra", "spoke", "x", "dive:spoke: is not a setting; did you mean spokes?"),
        ("fra", "documents", "many", "dive:documents: found 'many', expected: input should be a valid integer"),
        (
            "fra",
            "documents",
            "5001",
            "dive:documents: found 5001, expected: input should be less than or equal to 5000",
        ),
        ("fra", "namespace", "Dive", "dive:namespace: found 'Dive', expected: string should match"),
        ("fra", "country", "FRR", "dive:country: country 'FRR' is not known: expected three capital letters"),
        ("france", "documents", "20", "country 'FRANCE' is not known"),
        ("fra", "hub", "organization/dive/usa", "dive:hub: is not a setting any more: the hub is known from"),
        ("fra", "coalitionKey", "short", "dive:coalitionKey: found 'short', expected: string should match"),
        ("usa", "spokes", '["USA"]', "USA is the hub, to which every spoke is linked"),
        ("fra", "partners", '["USA"]', "partners: USA is the hub, to which every spoke is linked"),
        ("fra", "partners", '["FRA"]', "partners: FRA is this country"),
        ("usa", "partners", '["FRA"]', "partners: the hub is linked to its spokes alone"),
        ("fra", "cut", '["GBR"]', "cut: GBR is no partner of FRA; expected one of USA"),
        ("usa", "spokes", '["FRA", "FRA"]', "spokes: listed more than once: FRA"),
        ("fra", "spokes", '["GBR"]', "only the hub (USA) approves countries, this is FRA"),
        ("fra", "images", '{"postgress": "x:1"}', "images.postgress is not known; did you mean postgres?"),
        ("fra", "ports", '{"postgres": 80}', "dive:ports.postgres: found 80, expected"),
        ("fra", "ports", '{"postgres": 6389}', "redis and postgres both have 6389"),
        (
            "fra",
            "partnerPorts",
            '{"USA": {"opa": 9000}}',
            "dive:partnerPorts: is not a setting any more: where partners",
        ),
        ("fra", "verification", '{"age": 5}', "dive:verification.age: is not a setting; did you mean maxAge?"),
        ("fra", "agreements", '{"USA": {}}', "agreements: only the hub (USA) states agreements, this is FRA"),
        ("usa", "agreements", '{"FRA": {}}', "agreements.FRA is not known; expected one of USA"),
        ("usa", "agreements", '{"USB": {}}', "agreements.USB is not known; did you mean USA?"),
        (
            "usa",
            "agreements",
            '{"USA": {"clearance": "SECRT"}}',
            "dive:agreements.USA.clearance: SECRT is not known; did you mean SECRET?; expected one of UNCLASSIFIED",
        ),
        (
            "usa",
            "agreements",
            '{"USA": {"communities": ["NATO", "NATOO"]}}',
            "dive:agreements.USA.communities.1: NATOO is not known; did you mean NATO?",
        ),
        (
            "usa",
            "agreements",
            '{"USA": {"assurance": 4}}',
            "dive:agreements.USA.assurance: found 4, expected: input should be less than or equal to 3",
        ),
        (
            "usa",
            "agreements",
            '{"USA": {"expires": "2027-12-31"}}',
            "dive:agreements.USA.expires: 2027-12-31 is not a moment; expected UTC, such as 2027-12-31T00:00:00Z",
        ),
        ("usa", "agreements", '{"USA": {"expires": 2027}}', "dive:agreements.USA.expires: 2027 is not a moment"),
        (
            "usa",
            "agreements",
            '{"USA": {"expire": "2027-12-31T00:00:00Z"}}',
            "dive:agreements.USA.expire: is not a setting; did you mean expires?; expected one of clearance",
        ),
        (
            "fra",
            "address",
            "fra.example.org",
            "dive:address: 'fra.example.org' is no IPv4 address; expected a unicast IPv4 address such as 192.0.2.7",
        ),
        ("fra", "address", "0.0.0.0", "dive:address: '0.0.0.0' is no address of one machine; expected a unicast"),
        (
            "fra",
            "address",
            "192.0.2.7",
            "dive:address: 192.0.2.7 is on the network, and a browser looks for fra.dive.localhost on its own machine; "
            "expected a domain that is not below .localhost, next: pulumi config set dive:domain <domain> -s fra",
        ),
        (
            "fra",
            "engine",
            "ssh://-oProxyCommand=x",
            "dive:engine: found 'ssh://-oProxyCommand=x', expected unix:///path",
        ),
        ("fra", "engine", "tcp://10.0.0.5:2376", "dive:engineCertificates: not set, expected the folder with ca.pem"),
        (
            "fra",
            "engineCertificates",
            "certificates",
            "dive:engineCertificates: found 'certificates', expected it only",
        ),
    ],
)
def test_a_wrong_setting_is_named(stack: str, key: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(stack, {f"dive:{key}": value})
    assert told in str(refused.value)
    assert f"Pulumi.{stack}.yaml" in str(refused.value), "the file to mend"


@pytest.mark.parametrize(
    ("given", "address", "published"),
    [
        ({}, "", "127.0.0.1"),
        ({"dive:address": ""}, "", "127.0.0.1"),
        ({"dive:address": "127.0.0.1"}, "", "127.0.0.1"),
        ({"dive:address": "127.0.0.2"}, "127.0.0.2", "127.0.0.2"),
        ({"dive:address": "192.0.2.7", "dive:domain": "dive.example"}, "192.0.2.7", "192.0.2.7"),
        ({"dive:domain": "dive.example"}, "", "127.0.0.1"),
    ],
)
def test_services_are_published_at_one_address(given: dict[str, str], address: str, published: str) -> None:
    names = load("fra", given).names
    assert (names.address, names.published) == (address, published)


def test_every_wrong_setting_is_reported_at_once() -> None:
    with pytest.raises(SettingsError, match=r"2 wrong setting\(s\)"):
        load("fra", {"dive:documents": "0", "dive:disposable": "perhaps"})


@pytest.mark.parametrize("value", ["short", "changeme-changeme-changeme", "admin-1234567890123456"])
def test_a_weak_secret_is_refused_and_never_shown(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load("fra", {"dive:secrets": json.dumps({"redis": value})})
    assert "secrets.redis" in str(refused.value)
    assert value not in str(refused.value)


EC_KEY = (
    ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
RSA_KEY, WORD = pki.rsa_key(), "Random-1-canary-"


@pytest.mark.parametrize(
    ("stack", "name", "value", "told"),
    [
        ("fra", "coalition-key", EC_KEY, "secrets.coalition-key is not known"),  # the hub's alone
        ("fra", "ca-key", RSA_KEY, "secrets.ca-key is not an EC private key; expected P-256"),
        ("fra", "deployer-key", EC_KEY, "secrets.deployer-key is not an Ed25519 private key"),
        ("fra", "sealing-key", WORD * 2, "secrets.sealing-key is not an X25519 private key"),
        ("fra", "opal-token", WORD * 2, "secrets.opal-token is not known"),  # the hub issues it
        ("usa", "opal-token", WORD * 2, "secrets.opal-token is not known"),  # made from another
        ("fra", "kas-key", WORD * 2, "secrets.kas-key is not an RSA private key; expected 2048 bits or more"),
        ("fra", "kas-key", EC_KEY, "secrets.kas-key is not an RSA private key; expected 2048 bits"),
        ("fra", "kas-key", pki.public_key(RSA_KEY), "secrets.kas-key is not an RSA private key; expected 2048 bits"),
        ("fra", "ca-key", EC_KEY * 3, "secrets.ca-key holds 3 keys, expected one, or two while it is being replaced"),
        ("fra", "ca-key", EC_KEY + RSA_KEY, "secrets.ca-key is not an EC private key; expected P-256"),
        ("fra", "kas-key", RSA_KEY * 2, "secrets.kas-key holds 2 keys, expected one"),
        ("fra", "kas-key", pki.rsa_key(1024), "secrets.kas-key is not an RSA private key; expected 2048 bits"),
        (
            "usa",
            "policy-key",
            "-----BEGIN PRIVATE KEY-----",
            "secrets.policy-key is not an RSA private key; expected 2048 bits",
        ),
        ("fra", "test-users", "only-lower-canary-x", "secrets.test-users does not meet the realm's password policy"),
        ("fra", "probe-usa", "only-lower-canary-x", "secrets.probe-usa does not meet the realm's password policy"),
        ("fra", "probe-xyz", WORD, "secrets.probe-xyz is not known"),
        ("fra", "redis", WORD + " x", "secrets.redis has a character that is not accepted, expected printable ASCII"),
        ("fra", "redis", WORD + "'", "secrets.redis has a character"),
        ("fra", "redis", WORD + '"', "secrets.redis has a character"),
        ("fra", "redis", WORD + "\\", "secrets.redis has a character"),
        ("fra", "redis", WORD + "\n", "secrets.redis has a character"),
        ("fra", "redis", WORD + "\x7f", "secrets.redis has a character"),
        ("fra", "test-users", WORD + "\t", "secrets.test-users has a character"),
        ("fra", "redis", "", "secrets.redis has 0 characters, expected at least 16"),
        ("fra", "portal-session", WORD, "secrets.portal-session has 16 characters, expected at least 32"),
    ],
)
def test_a_secret_that_would_fail_later_is_refused_and_never_shown(
    stack: str, name: str, value: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(stack, {"dive:secrets": json.dumps({name: value})})
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)
    assert not value or value not in str(refused.value)


def test_good_secrets_are_taken() -> None:
    given = {
        "kas-key": RSA_KEY,
        "policy-key": RSA_KEY,
        "ca-key": f"{EC_KEY}\n{EC_KEY}",
        "test-users": "A-long-Passphrase-1",
        "redis": WORD + "!#$%&~",
        "probe-gbr": "A-long-Passphrase-1",  # also of a partner that has left
    }
    assert set(load("usa", {"dive:secrets": json.dumps(given)}).secrets) == set(given)


def test_the_schema_of_the_project_file_is_that_of_the_settings() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert set(project["config"]) == {to_camel(name) for name in Settings.model_fields}


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda p: p.name)
def test_the_stack_files_here_are_valid(path: Path) -> None:
    assert load(path.suffixes[0][1:], yaml.safe_load(path.read_text()).get("config") or {})


@pytest.mark.parametrize("numbers", ["[1]", "[2]", "[1, 2]", "[2, 1]"])
def test_the_hub_numbers_the_cas_of_the_coalition(numbers: str) -> None:
    assert load("usa", {"dive:authorities": numbers}).authorities == tuple(json.loads(numbers))


@pytest.mark.parametrize(
    ("stack", "numbers", "told"),
    [
        ("fra", "[1, 2]", "authorities: only the hub (USA) has the coalition's CA, this is FRA"),
        ("usa", "[1, 3]", "authorities: found [1, 3], expected one number, or two that follow each other"),
        ("usa", "[1, 1]", "authorities: found [1, 1], expected one number, or two that follow each other"),
        ("usa", "[1, 2, 3]", "dive:authorities: found"),
        ("usa", "[]", "dive:authorities: found"),
        ("usa", "[0]", "dive:authorities.0: found 0"),
    ],
)
def test_numbers_that_are_no_step_of_a_rotation_are_refused(stack: str, numbers: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(stack, {"dive:authorities": numbers})
    assert told in str(refused.value)
