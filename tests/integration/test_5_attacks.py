"""France's operator attacks the USA and Great Britain with everything that France has. No attack succeeds.

Each is also carried out where it must succeed, at home or with the right key: an attack that is broken proves nothing.
Great Britain is not deployed; what is done in its name is. What each attack fails for, and those that other tests carry
out: `docs/explanation/threat-model.md`.
"""

import hashlib
import hmac
import json
import secrets as random
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import httpx
import jwt
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwt.algorithms import RSAAlgorithm

from dive_common.ztdf import IntegrityError
from dive_frontend.app import ATTEMPT_COOKIE, SESSION_COOKIE
from dive_frontend.oidc import Attempt
from dive_frontend.sealing import Seal
from dive_infra.catalog import policy
from dive_infra.config.countries import parse
from dive_infra.config.naming import SERVICES, Names
from dive_infra.crypto import pki
from dive_infra.identity import https, link_data
from dive_infra.identity.browser import Browser, LoginFailed
from dive_infra.identity.login import login
from dive_infra.identity.opal_token import mint_opal_token
from dive_infra.identity.realm_data import PORTAL_AUDIENCE
from dive_infra.membership import status
from dive_infra.results.text import now
from dive_infra.rotation.rotation import secrets_in_force
from dive_infra.rotation.targets import CountryServers, PortalTarget, targets
from dive_infra.seeds.documents import identifier
from dive_infra.seeds.store import connect
from dive_kas.keys import load_private_key, unwrap
from tests.coalition import attack
from tests.coalition.attack import REACHED, RealmKey
from tests.coalition.country import Country
from tests.coalition.live import VALIDATED, documents, wrong
from tests.support.tls import presenting

pytestmark = pytest.mark.timeout(300)

_REFUSED = (401, 403)
_VICTIMS = ("USA", "GBR")
# What every request takes that has a body: nothing is refused for its form.
_UPDATE = {"url": "", "data": {}, "topics": ["policy_data/usa", "policy_data/gbr"], "dst_path": "/dive"}
_BODY = {"entries": [_UPDATE], "reason": "x", "type": "client", "query": "true", "input": {}}


@pytest.fixture(scope="module")
def ca(usa: Country) -> str:
    """What everyone in the coalition trusts."""
    return str(usa.outputs()["ca_certificate"])


@pytest.fixture(scope="module")
def held(fra: Country) -> dict[str, str]:
    """Every secret and key of France, by name."""
    return secrets_in_force(fra.state())


@pytest.fixture(scope="module")
def passwords(held: dict[str, str]) -> dict[str, str]:
    """Those of them that a server could take for its own."""
    return {name: value for name, value in held.items() if "\n" not in value}


@pytest.fixture(scope="module")
def key(fra: Country) -> RealmKey:
    """The key that signs what France's realm says, from its database."""
    return attack.realm_key(fra)


@contextmanager
def asking(ca: str, *countries: Country) -> Iterator[httpx.Client]:
    with https.client(ca, 20, *(country.names for country in countries)) as http:
        yield http


def bearing(http: httpx.Client, names: Names, service: str, method: str, path: str, token: str) -> int:
    """Return how a service answers a request with a token."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    url = f"{names.url(service)}{path.format(realm=names.realm)}"
    return http.request(method, url, headers=headers, json=None if method == "GET" else _BODY).status_code


def taken(ca: str, country: Country, tokens: Mapping[str, str], asked: Iterable[str] = REACHED) -> dict[str, list[str]]:
    """Return service -> the requests that it does not refuse to the bearer of one of these tokens."""
    found: dict[str, list[str]] = {}
    with asking(ca, country) as http:
        for service in asked:
            for method, path in REACHED[service].asked:
                answers = {who: bearing(http, country.names, service, method, path, t) for who, t in tokens.items()}
                through = [f"{method} {path}: {code} to {who}" for who, code in answers.items() if code not in _REFUSED]
                found.setdefault(service, []).extend(through)
    return {service: through for service, through in found.items() if through}


# Secrets and keys


@pytest.mark.parametrize("name", [name for name in targets(is_hub=True) if not name.startswith("probe-")])
def test_no_server_of_the_usa_accepts_a_secret_of_france(
    usa: Country, ca: str, passwords: dict[str, str], name: str
) -> None:
    target = targets(is_hub=True)[name]
    at = CountryServers(usa.names, ca, secrets_in_force(usa.state()))
    # A person is locked out after five wrong passwords.
    tried = {name: passwords[name]} if isinstance(target, PortalTarget) else passwords
    assert [own for own, value in tried.items() if target.verify(at, value)] == []
    assert target.verify(at, at.secrets[name]), "else it accepts none at all"


def test_no_secret_of_france_opens_the_state_of_the_usa(usa: Country, fra: Country, passwords: dict[str, str]) -> None:
    """Neither the key of France's state, nor one made of any secret in it."""
    salt, sealed = _encrypted(usa)
    own, passphrase = _encrypted(fra)[0], usa.environment["PULUMI_CONFIG_PASSPHRASE"]
    assert _opens(_state_key(passphrase, salt), sealed), "else nothing would"
    with ThreadPoolExecutor() as side_by_side:
        keys = [*side_by_side.map(lambda value: _state_key(value, salt), passwords.values())]
    assert not any(_opens(tried, sealed) for tried in [_state_key(passphrase, own), *keys])


def _encrypted(country: Country) -> tuple[bytes, str]:
    """Return the salt of a state's key, and a secret that it holds; Pulumi's `config/crypt.go`."""
    latest = json.loads(country.state_file.read_text())["checkpoint"]["latest"]
    salt = latest["secrets_providers"]["state"]["salt"].split(":")[1]
    return b64decode(salt), next(_ciphertexts(latest["resources"]))


def _ciphertexts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "ciphertext" in value:
            yield str(value["ciphertext"])
        value = [*value.values()]
    if isinstance(value, list):
        for below in value:
            yield from _ciphertexts(below)


def _state_key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, 1_000_000, 32)


def _opens(key: bytes, sealed: str) -> bool:
    _, nonce, text = sealed.split(":")
    try:
        AESGCM(key).decrypt(b64decode(nonce), b64decode(text), None)
    except InvalidTag:
        return False
    return True


def test_a_document_of_the_usa_opens_with_no_key_of_france(usa: Country, held: dict[str, str]) -> None:
    """Also for someone who has taken the whole database."""
    with connect(documents(usa)) as database:
        found = database["resources"].find_one({"ztdf": {"$exists": True}})
    assert found
    sealed = found["ztdf"]["payload"]["keyAccess"][0], found["ztdf"]["policy"]
    with pytest.raises(IntegrityError):
        unwrap(load_private_key(held["kas-key"]), *sealed)
    assert unwrap(load_private_key(secrets_in_force(usa.state())["kas-key"]), *sealed)


# Certificates and names


@pytest.mark.parametrize("victim", _VICTIMS)
def test_no_certificate_of_france_is_accepted_as_that_of_a_host_of_another(
    usa: Country, fra: Country, ca: str, held: dict[str, str], victim: str
) -> None:
    """Signed by its CA, or by a CA that it has signed; nor is the one that a host of France has."""
    coalition = json.loads((usa.home / "members" / "coalition.json").read_text())["payload"]
    issuer = pki.Issuer(coalition["members"]["FRA"]["certificate"], held["ca-key"])
    own, other = fra.names, fra.names.of(parse(victim))
    lower = pki.issue(other.zone, 1, issuer, [other.zone], authority=True)
    below = pki.Issuer(lower.chain, lower.key)
    for service in SERVICES:
        theirs, ours = other.host(service), own.host(service)
        genuine = presenting(pki.issue(ours, 1, issuer, own.certified(service)))
        assert attack.refusal(genuine, ours, ca) == "", "else it would refuse everything"
        assert attack.refusal(genuine, theirs, ca)
        for signer, name in ((issuer, theirs), (below, theirs), (below, ours)):
            assert attack.refusal(presenting(pki.issue(name, 1, signer, [name])), name, ca), (signer, name)


# Tokens


def _signed(key: RealmKey, issuer: str, country: str, **header: Any) -> str:
    """Return an access token of the most powerful person of a country."""
    seconds, name = int(time.time()), f"testuser-{country.lower()}-5"
    claims = {
        "iss": issuer, "sub": name, "aud": PORTAL_AUDIENCE, "typ": "Bearer", "iat": seconds, "exp": seconds + 300,
        "uniqueID": name, "preferred_username": name, "countryOfAffiliation": country, "scope": "openid", "acr": "3",
        "clearance": "TOP_SECRET", "acpCOI": ["NATO", "FVEY"], "organizationType": "GOV",
        "realm_access": {"roles": ["super_admin"]},
    }  # fmt: skip
    return jwt.encode(claims, key.private, "RS256", {"kid": key.kid, **header})


def _by_public_key(token: str, public: Mapping[str, Any]) -> str:
    """Return the claims of a token, with a public key as if it were a password that both sides know."""
    pem = RSAAlgorithm.from_jwk(dict(public)).public_bytes(*attack.PUBLIC_PEM)
    head = urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": public["kid"]}).encode()).rstrip(b"=")
    text = head + b"." + token.split(".")[1].encode()
    return (text + b"." + urlsafe_b64encode(hmac.digest(pem, text, "sha256")).rstrip(b"=")).decode()


def test_no_token_that_france_forges_is_accepted_by_the_usa(
    usa: Country, fra: Country, ca: str, held: dict[str, str], key: RealmKey
) -> None:
    """Of people of the USA, Great Britain and France, of the administrator of Keycloak, and of countries."""
    public = attack.published_key(usa)
    american = _signed(key, usa.names.issuer, "USA", kid=public["kid"])
    own = _signed(key, fra.names.issuer, "FRA")
    tokens = {
        "a person of the USA, by its key id": american,
        "a person of the USA, by France's key id": _signed(key, usa.names.issuer, "USA"),
        "a person of the USA, with the address of the key": _signed(
            key, usa.names.issuer, "USA", jku=link_data.certificates(usa.names, fra.names), jwk=dict(key.public)
        ),
        "a person of the USA, by its public key": _by_public_key(american, public),
        **{f"a person of {code} in France's realm": _signed(key, fra.names.issuer, code) for code in _VICTIMS},
        "a person of France": own,
        "the administrator of France": _administrator(ca, fra, held),
        **{code: mint_opal_token(held["policy-key"], code) for code in _VICTIMS},
    }
    assert taken(ca, usa, tokens) == {}
    genuine = {who: tokens[who] for who in ("a person of France", "the administrator of France")}
    at_home = ("backend", "kas", "keycloak")
    assert {*taken(ca, fra, genuine, at_home)} == {*at_home}, "else they would be refused as broken"


def _administrator(ca: str, country: Country, held: dict[str, str]) -> str:
    form = {"grant_type": "client_credentials", "client_id": "dive-deployer", "client_secret": held["keycloak-admin"]}
    with asking(ca, country) as http:
        url = f"{country.names.url('keycloak')}/realms/master/protocol/openid-connect/token"
        return str(http.post(url, data=form).raise_for_status().json()["access_token"])


def _as_client(usa: Country, fra: Country, key: RealmKey) -> dict[str, str]:
    """Return how France's broker authenticates at the USA's realm."""
    seconds = int(time.time())
    claims = {"iss": fra.names.client, "sub": fra.names.client, "aud": usa.names.issuer, "jti": random.token_hex()}
    return {
        "client_id": fra.names.client,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(
            {**claims, "iat": seconds, "exp": seconds + 30}, key.private, "RS256", {"kid": key.kid}
        ),
    }


def _protocol(usa: Country, part: str) -> str:
    return f"{usa.names.issuer}/protocol/openid-connect/{part}"


@pytest.fixture(scope="module")
def american(usa: Country, fra: Country, ca: str, key: RealmKey) -> str:
    """The token of a person of the USA who signs in at France with it: France asks for it as its broker may."""
    verifier = random.token_urlsafe(48)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    [back] = map(str, link_data.broker_client(usa.names, fra.names)["redirectUris"])  # type: ignore[call-overload]
    request = {
        "client_id": fra.names.client, "redirect_uri": back, "response_type": "code", "state": "s",
        "scope": link_data.SCOPES, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    with asking(ca, usa, fra) as http:
        browser = Browser(http, usa.names.host("keycloak"), "testuser-usa-5", usa.outputs()["test_user_password"])
        start = httpx.URL(_protocol(usa, "auth"), params=request)
        code = browser.walk(start, lambda there: str(there).startswith(f"{back}?")).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        answer = http.post(_protocol(usa, "token"), data={**form, **_as_client(usa, fra, key)})
        return str(answer.raise_for_status().json()["access_token"])


def test_the_token_of_an_american_who_visits_france_opens_nothing_at_home(usa: Country, ca: str, american: str) -> None:
    """It is genuine, and its audience is not the USA's services."""
    assert taken(ca, usa, {"a visitor": american}) == {}
    with asking(ca, usa) as http:
        told = http.get(_protocol(usa, "userinfo"), headers={"authorization": f"Bearer {american}"})
    assert (told.status_code, told.json().get("countryOfAffiliation")) == (200, "USA"), told.text


def test_the_usa_gives_frances_broker_tokens_for_a_persons_login_alone(
    usa: Country, fra: Country, ca: str, held: dict[str, str], key: RealmKey, american: str
) -> None:
    """By no other grant that its Keycloak knows, regardless of what France sends with it."""
    form = {
        "username": "testuser-usa-5", "password": held["test-users"], "scope": "openid", "audience": usa.names.client,
        "assertion": _signed(key, usa.names.issuer, "USA"), "requested_subject": "admin-usa",
        "subject_token": american, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    with asking(ca, usa) as http:
        known = http.get(f"{usa.names.issuer}/.well-known/openid-configuration").raise_for_status().json()
        others = {*known["grant_types_supported"]} - {"authorization_code", "refresh_token"}
        assert "client_credentials" in others
        for grant in others:
            answer = http.post(_protocol(usa, "token"), data={**form, "grant_type": grant, **_as_client(usa, fra, key)})
            assert (answer.status_code in (400, 401, 403), "access_token" in answer.text) == (True, False), (
                grant,
                answer.text,
            )
        asked = http.post(_protocol(usa, "token/introspect"), data={"token": american, **_as_client(usa, fra, key)})
        assert asked.status_code == 200, "it is known as a client"


# Policies


def test_france_takes_policies_from_the_hub_and_gives_it_none(
    usa: Country, fra: Country, ca: str, held: dict[str, str], passwords: dict[str, str]
) -> None:
    member = mint_opal_token(held["policy-key"], "FRA")
    forged = {**passwords, **{f"as {code}": mint_opal_token(held["policy-key"], code) for code in _VICTIMS}}
    writes = [
        ("opa", "PUT", "/v1/policies/checks/clearance.rego"),
        ("opa", "DELETE", "/v1/policies/authz.rego"),
        ("opa", "PUT", "/v1/data/dive/coi_definitions"),
        ("opa", "POST", "/v1/query"),
        ("opal-server", "POST", "/data/config"),
        ("opal-server", "POST", "/token"),
    ]
    reads = [("opal-server", "GET", "/policy"), ("backend", "GET", policy.BUNDLE)]
    with asking(ca, usa, fra) as http:

        def through(requests: list[tuple[str, str, str]], tokens: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
            return [
                (who, *request)
                for who, token in tokens.items()
                for request in requests
                if bearing(http, usa.names, *request, token) not in _REFUSED
            ]

        assert through([*reads, *writes], forged) == []
        assert through(writes, {"FRA": member}) == []
        assert len(through(reads, {"FRA": member})) == len(reads), "what it is for"
        assert bearing(http, fra.names, "opa", "GET", "/v1/policies", held["opa-read"]) == 200, "at home"


# Requests


def test_neither_a_session_nor_a_sign_in_of_france_counts_at_the_portal_of_the_usa(
    usa: Country, fra: Country, ca: str, held: dict[str, str]
) -> None:
    sealed = Attempt.new()
    started = Seal(held["portal-session"]).close(asdict(sealed))

    def told(http: httpx.Client, at: Country, path: str, cookie: str) -> tuple[int, str]:
        headers = {"accept": "application/json", "cookie": cookie}
        answer = http.get(f"{at.names.url('frontend')}{path}", headers=headers)
        return answer.status_code, str(answer.json().get("reason", ""))

    with (
        login(fra.names, fra.names, "testuser-fra-1", fra.outputs()["test_user_password"], ca) as session,
        asking(ca, usa, fra) as http,
    ):
        [known] = [c.value for c in session.http.cookies.jar if c.name == SESSION_COOKIE]
        for at, signed_in, continued in ((usa, 401, "was not started here"), (fra, 200, "refused the sign-in")):
            assert told(http, at, "/session", f"{SESSION_COOKIE}={known}")[0] == signed_in
            path = f"/callback?code=none&state={sealed.state}"
            assert continued in told(http, at, path, f"{ATTEMPT_COOKIE}={started}")[1]


def test_the_probe_person_that_the_usa_issued_to_france_proves_the_link_and_is_served_nothing_else(
    usa: Country, fra: Country, ca: str, held: dict[str, str]
) -> None:
    """France knows its password."""
    deployer = json.loads((usa.home / "members" / "coalition.json").read_text())["payload"]["members"]["USA"]
    with asking(ca, usa) as http:
        content = http.get(f"{usa.names.url('backend')}/.well-known/dive-status").raise_for_status().content
    issued = status.read(content, deployer["deployer_key"], "USA", usa.names.namespace, now())
    account = issued.probe("FRA", held["sealing-key"])
    assert account
    with pytest.raises(LoginFailed) as refused, login(usa.names, usa.names, *account, ca):
        pass
    assert (refused.value.check, refused.value.step) == ("federation", "session"), refused.value
    with login(fra.names, usa.names, *account, ca) as session:
        assert session.document(identifier(fra.names, 1)).status_code == 200, "what it is for"


def test_no_attack_has_left_anything_behind(usa: Country, fra: Country) -> None:
    for country in (usa, fra):
        assert wrong(country.state(), *VALIDATED) == []
