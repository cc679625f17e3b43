"""Backend, key access service and portal in their images, as the catalog declares them, on real MongoDB protocol,
Redis, Postgres and OPA with the project's policies. Tokens are signed by a test issuer; real sign-ins are tested with
whole countries."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from docker.models.containers import Container
from pymongo.database import Database
from selectolax.lexbor import LexborHTMLParser

from dive_common.ztdf import policy_hash
from dive_infra.catalog import datastores
from dive_infra.catalog.applications import backend, frontend, kas
from dive_infra.catalog.policy import opa, policies
from dive_infra.catalog.spec import FILES, Material, ServiceSpec
from dive_infra.checks import key_release
from dive_infra.checks.runner import CheckFailed, CheckUnknown
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto.pki import public_key
from dive_infra.engines.docker import engine
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.identity import https
from dive_infra.images.resolution import resolve
from dive_infra.membership.document import Agreement
from dive_infra.seeds.batches import batches
from dive_infra.seeds.documents import document
from dive_infra.seeds.loader import Loader
from dive_infra.seeds.store import SeedStoreAccess, connect
from tests.support.lab import Lab, lab

ROOT = Path(__file__).parents[2]
FRA, USA = (Names(country, "t-services") for country in (COUNTRIES["FRA"], HUB))
ISSUER = f"{FRA.url('opal-server')}/realms/{FRA.realm}"  # in the place of a service that this country does not have
AUDIENCE = "dive-v3-backend"


def _rsa() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


ISSUER_KEY, KAS_KEY = _rsa(), _rsa()
SECRETS = {c.name: KAS_KEY if c.kind == "rsa" else f"secret-of-the-tests-{c.name}" for c in CREDENTIALS}


def _person(country: str, clearance: str, *communities: str) -> dict[str, Any]:
    name = f"testuser-{country.lower()}-{clearance.lower()}"
    return {
        "uniqueID": name,
        "preferred_username": name,
        "clearance": clearance,
        "countryOfAffiliation": country,
        "acpCOI": list(communities),
        "organizationType": "GOV",
        "acr": "1",
    }


FRENCH = _person("FRA", "TOP_SECRET", "NATO", "FVEY")
AMERICAN = _person("USA", "SECRET", "NATO")
BEGINNER = _person("USA", "UNCLASSIFIED")
LONER = _person("USA", "TOP_SECRET")
STRANGER = _person("DEU", "TOP_SECRET", "NATO")  # of a country that France is not linked with
PEOPLE = {"own": {"claims": FRENCH}, USA.idp_alias: {"claims": AMERICAN, "life": 20}}


def _issuer_spec(image: str) -> ServiceSpec:
    def files(material: Material) -> Mapping[str, str]:
        return material.tls() | {
            f"{FILES}/issuer.py": (ROOT / "tests/support/issuer.py").read_text(),
            f"{FILES}/issuer.key": ISSUER_KEY,
            f"{FILES}/people.json": json.dumps(PEOPLE),
        }

    port = FRA.port("opal-server")
    base = backend(FRA, USA)
    probe = tuple(part.replace(str(FRA.port("backend")), str(port)) for part in base.health.test)
    path = f"/realms/{FRA.realm}/.well-known/openid-configuration"
    health = replace(base.health, test=tuple(part.replace("/api/health", path) for part in probe), interval=1)
    environment = {"ISSUER": ISSUER, "PORT": str(port)}
    script = ("python", f"{FILES}/issuer.py")
    own = replace(base, name="opal-server", image=image, files=files, health=health, needs=())
    return replace(own, entrypoint=script, environment=environment)


def _by_issuer(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, environment={k: v.replace(FRA.issuer, ISSUER) for k, v in spec.environment.items()})


@pytest.fixture(scope="module")
def country() -> Iterator[Lab]:
    with closing(engine.client()) as client, lab(client, FRA, SECRETS) as there:
        there.material = replace(there.material, policy_keys={"USA": public_key(KAS_KEY)})
        for service in (datastores.postgres, datastores.mongodb, datastores.redis, _taught_opa):
            there.start(service(FRA, USA), within=60)
        with _superuser(there) as postgres:
            postgres.execute(f"CREATE ROLE portal LOGIN PASSWORD '{SECRETS['portal-db']}'")
            postgres.execute("CREATE DATABASE portal OWNER portal")
        _seed(there)
        there.start(_issuer_spec(resolve(client, "backend", "dive/backend").id))
        for spec in (kas(FRA, USA, [USA]), backend(FRA, USA, [USA]), frontend(FRA, USA, [USA])):
            there.start(_by_issuer(spec))
        print(f"\nseconds to healthy: {there.seconds}")
        yield there


@contextmanager
def _superuser(there: Lab, dbname: str = "postgres") -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(
        host=LOOPBACK,
        port=FRA.port("postgres"),
        user=datastores.SUPERUSER,
        password=SECRETS["postgres-superuser"],
        dbname=dbname,
        sslmode="require",
        autocommit=True,
    ) as connection:
        yield connection


def _target(there: Lab) -> SeedStoreAccess:
    port, password = FRA.port("mongodb"), SECRETS["mongodb"]
    return SeedStoreAccess(LOOPBACK, port, datastores.ROOT_USER, password, FRA.mongo_database, there.material.ca)


def _seed(there: Lab) -> None:
    with connect(_target(there)) as database:
        Loader(database).load(batches(FRA, [USA], public_key(KAS_KEY), documents=60)[-1])


def _taught_opa(names: Names, hub: Names) -> ServiceSpec:
    """OPA with policies and data in its own files: here is no hub that signs them."""
    spec, folder, data = opa(names, hub), f"{FILES}/taught", dict[str, Any]()
    for batch in batches(USA, [FRA], public_key(KAS_KEY), documents=1)[:-1]:
        rows = json.loads(json.dumps(batch.documents).replace(FRA.issuer, ISSUER))
        data[batch.collection] = {"success": True, batch.collection: rows, "count": len(rows)}
    taught = {**policies(), "data.json": json.dumps({"dive": data}), ".manifest": json.dumps({"roots": ["dive"]})}

    def files(material: Material) -> Mapping[str, str]:
        return {**spec.files(material), **{f"{folder}/{path}": text for path, text in taught.items()}}

    return replace(spec, files=files, command=(*spec.command, "--bundle", folder))


@pytest.fixture
def http(country: Lab) -> Iterator[httpx.Client]:
    with https.client(country.material.ca, timeout=20) as client:
        yield client


@pytest.fixture
def mongo(country: Lab) -> Iterator[Database[dict[str, Any]]]:
    with connect(_target(country)) as database:
        yield database
        Loader(database).load(batches(FRA, [USA], public_key(KAS_KEY), documents=60)[-1])


def _token(person: Mapping[str, Any], key: str = ISSUER_KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "s", "aud": AUDIENCE, "typ": "Bearer", "iat": now, "exp": now + 300}
    kept = {k: v for k, v in {**claims, **person, **changes}.items() if v is not None}
    return jwt.encode(kept, key, "RS256", {"kid": "tests"})


def _get(http: httpx.Client, path: str, token: str) -> httpx.Response:
    return http.get(f"{FRA.url('backend')}{path}", headers={"Authorization": f"Bearer {token}"})


def _read(http: httpx.Client, number: int, person: Mapping[str, Any]) -> httpx.Response:
    return _get(http, f"/api/resources/doc-fra-{number:06d}", _token(person))


# Who one is


def test_all_dependencies_are_up(http: httpx.Client) -> None:
    assert http.get(f"{FRA.url('backend')}/api/health").json() == {
        "status": "healthy",
        "instance": "FRA",
        "dependencies": {"mongodb": "up", "redis": "up", "opa": "up", "kas": "up"},
    }


def test_whoami_shows_the_tokens_claims(http: httpx.Client) -> None:
    found = _get(http, "/api/whoami", _token(AMERICAN)).json()
    assert {name: found[name] for name in AMERICAN} == AMERICAN


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda: "Basic eDp4", "expected a bearer token", id="no bearer"),
        pytest.param(lambda: "abc", "cannot be read", id="garbage"),
        pytest.param(lambda: _token(FRENCH, key=_rsa()), "Signature verification failed", id="other key"),
        pytest.param(lambda: _token(FRENCH, iss="https://evil.example"), "is not trusted; expected", id="other issuer"),
        pytest.param(lambda: _token(FRENCH, exp=1_600_000_000), "expired", id="expired"),
        pytest.param(lambda: _token(FRENCH, aud="account"), "Audience", id="other audience"),
        pytest.param(lambda: _token(FRENCH, aud=None), "aud", id="no audience"),
        pytest.param(lambda: _token(FRENCH, typ="ID"), "expected an access token", id="ID token"),
        pytest.param(lambda: jwt.encode({"iss": ISSUER}, "", "none", {"kid": "tests"}), "is not valid", id="unsigned"),
    ],
)
def test_a_token_that_does_not_hold_is_401(http: httpx.Client, make: Callable[[], str], reason: str) -> None:
    token = make()  # not before: a token lives for minutes, a run of all tests for longer
    for url in (f"{FRA.url('backend')}/api/resources", f"{FRA.url('backend')}/api/resources/doc-fra-000001"):
        answer = http.get(url, headers={"Authorization": token if " " in token else f"Bearer {token}"})
        assert answer.status_code == 401
        assert reason in answer.json()["reason"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


# Documents


@pytest.mark.parametrize(
    ("person", "number"),
    [(FRENCH, 1), (FRENCH, 6), (FRENCH, 7), (FRENCH, 8), (AMERICAN, 1), (AMERICAN, 5), (BEGINNER, 1), (LONER, 4)],
)
def test_a_permitted_document_is_opened_and_recorded(
    http: httpx.Client, mongo: Database[dict[str, Any]], person: dict[str, Any], number: int
) -> None:
    answer = _read(http, number, person)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == document(FRA, number)["content"]
    assert answer.headers["Cache-Control"] == "no-store"
    wanted = {"resourceId": f"doc-fra-{number:06d}", "uniqueID": person["uniqueID"], "allow": True}
    decided = mongo.decisions.find_one(wanted)
    assert decided is not None
    released = [r["requestId"] for r in mongo.key_releases.find(wanted)]
    assert decided["_id"] in released


@pytest.mark.parametrize(
    ("person", "number", "check"),
    [
        pytest.param(BEGINNER, 2, "clearance", id="clearance"),
        pytest.param(AMERICAN, 6, "clearance", id="higher clearance"),
        pytest.param(AMERICAN, 7, "country", id="own country only"),
        pytest.param(LONER, 5, "coi", id="no community"),
        pytest.param(FRENCH, 9, "country", id="released to nobody"),
        pytest.param(FRENCH, 10, "embargo", id="embargo"),
        pytest.param(FRENCH | {"clearance": None, "uniqueID": "incomplete"}, 1, "attributes", id="claim missing"),
    ],
)
def test_a_refused_document_says_why_and_is_recorded(
    http: httpx.Client, mongo: Database[dict[str, Any]], person: dict[str, Any], number: int, check: str
) -> None:
    answer = _read(http, number, person)
    body = answer.json()
    assert answer.status_code == 403, answer.text
    assert (body["error"], body["details"]["check"]) == ("forbidden", check)
    assert body["reason"]
    assert "content" not in answer.text
    row = mongo.decisions.find_one({"resourceId": f"doc-fra-{number:06d}", "uniqueID": person["uniqueID"]})
    assert row is not None
    assert (row["allow"], row["check"]) == (False, check)


@pytest.mark.parametrize("path", ["/api/whoami", "/api/resources", "/api/resources/doc-fra-000001"])
def test_a_person_of_a_country_without_a_link_is_served_nothing(http: httpx.Client, path: str) -> None:
    answer = _get(http, path, _token(STRANGER))
    assert (answer.status_code, answer.json()["details"]) == (403, {"check": "federation"})
    assert answer.json()["reason"] == "FRA has no link to DEU"


@pytest.mark.parametrize(
    ("name", "home", "status"),
    [
        ("probe-usa-fra", "USA", 200),
        ("probe-usa-usa", "USA", 200),
        ("probe-usa-gbr", "USA", 403),
        ("probe-fra-usa", "FRA", 403),
    ],
)
def test_a_probe_person_is_served_where_it_proves_a_link_alone(
    http: httpx.Client, name: str, home: str, status: int
) -> None:
    """Its password is known to the country to which it was issued, which is not a person of this one."""
    answer = _get(http, "/api/whoami", _token(_person(home, "UNCLASSIFIED") | {"uniqueID": name}))
    assert answer.status_code == status, answer.text


def test_a_partner_that_was_cut_off_is_refused_at_once_and_served_again_afterwards(
    country: Lab, http: httpx.Client, mongo: Database[dict[str, Any]]
) -> None:
    """Its tokens are still valid, OPA still permits, and nothing restarts."""
    for linked, status in (([], 403), ([USA], 200)):
        for spec in (backend(FRA, USA, linked), kas(FRA, USA, linked)):
            country.write_files(spec, resolve(country.engine, spec.name, spec.image).id)
        answers = [
            _read(http, 1, AMERICAN),
            _rewrap(http, AMERICAN, "doc-fra-000004", _access(mongo, 4)),
            _get(http, "/api/whoami", _token(AMERICAN)),
        ]
        assert [answer.status_code for answer in answers] == [status] * 3, [answer.text for answer in answers]
        assert _read(http, 1, FRENCH).status_code == 200


def test_of_a_partners_person_no_more_is_believed_than_the_agreement_says(
    country: Lab, http: httpx.Client, mongo: Database[dict[str, Any]]
) -> None:
    """Each of the two services sees to it by itself, at once; people of the own country are not concerned."""
    stated = {
        "clearance": Agreement(clearance="CONFIDENTIAL"),
        "coi": Agreement(communities=("FRA-US",)),
        "agreement": Agreement(expires=datetime(2020, 1, 1, tzinfo=UTC)),
        None: Agreement(),
    }
    for check, agreement in stated.items():
        agreements = {"USA": agreement, "FRA": agreement}
        for spec in (backend(FRA, USA, [USA], agreements), kas(FRA, USA, [USA], agreements)):
            country.write_files(spec, resolve(country.engine, spec.name, spec.image).id)
        answers = [_read(http, 5, AMERICAN), _rewrap(http, AMERICAN, "doc-fra-000005", _access(mongo, 5))]
        found = [answer.json().get("details", {}).get("check") for answer in answers]
        assert found == [check] * 2, [answer.text for answer in answers]
        assert _read(http, 6, FRENCH).status_code == 200


def test_an_unknown_document_is_404(http: httpx.Client) -> None:
    answer = _get(http, "/api/resources/doc-fra-999999", _token(FRENCH))
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_the_list_pages_through_all_documents_with_the_decisions_of_reading(http: httpx.Client) -> None:
    token, after, rows = _token(AMERICAN), "", list[dict[str, Any]]()
    while after is not None:
        page = _get(http, f"/api/resources?limit=25&after={after}", token).json()
        rows, after = rows + page["resources"], page["next"]
    assert [r["resourceId"] for r in rows] == [document(FRA, n)["_id"] for n in range(1, 61)]
    for number, row in enumerate(rows[:12], 1):
        assert row["decision"]["allow"] == (_read(http, number, AMERICAN).status_code == 200)


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1", ""])
def test_a_wrong_page_size_is_400(http: httpx.Client, limit: str) -> None:
    assert _get(http, f"/api/resources?limit={limit}", _token(FRENCH)).status_code == 400


# Documents that were altered


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"ztdf.policy.securityLabel.releasabilityTo": ["FRA", "USA"]}, id="label"),
        pytest.param({"ztdf.payload.ciphertext": "QUJD"}, id="payload"),
        pytest.param({"ztdf.policy.resourceId": "doc-fra-000001"}, id="policy of another"),
    ],
)
def test_an_altered_document_is_refused(
    http: httpx.Client, mongo: Database[dict[str, Any]], change: dict[str, Any]
) -> None:
    mongo.resources.update_one({"_id": "doc-fra-000004"}, {"$set": change})
    answer = _read(http, 4, FRENCH)
    assert (answer.status_code, answer.json()["details"]["check"]) == (403, "integrity")


def test_a_label_lowered_with_its_hash_still_gets_no_key(http: httpx.Client, mongo: Database[dict[str, Any]]) -> None:
    low, high = (mongo.resources.find_one({"_id": f"doc-fra-{n:06d}"}) for n in (1, 4))
    assert low
    assert high
    policy = low["ztdf"]["policy"] | {"resourceId": high["_id"]}
    change = {"ztdf.policy": policy, "ztdf.policyHash": policy_hash(policy)}
    mongo.resources.update_one({"_id": high["_id"]}, {"$set": change})
    answer = _read(http, 4, BEGINNER)
    assert (answer.status_code, answer.json()["reason"]) == (
        403,
        "the key is not bound to the policy of this document",
    )


# The key access service by itself


def _rewrap(http: httpx.Client, person: Mapping[str, Any], resource: str, access: Any) -> httpx.Response:
    public = X25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, form).decode()
    question = {"resourceId": resource, "keyAccess": access, "clientPublicKey": pem}
    headers = {"Authorization": f"Bearer {_token(person)}"}
    return http.post(f"{FRA.url('kas')}/rewrap", json=question, headers=headers)


def _access(mongo: Database[dict[str, Any]], number: int) -> Any:
    found = mongo.resources.find_one({"_id": f"doc-fra-{number:06d}"})
    assert found
    return found["ztdf"]["payload"]["keyAccess"][0]


def test_the_key_service_decides_for_itself(http: httpx.Client, mongo: Database[dict[str, Any]]) -> None:
    assert _rewrap(http, FRENCH, "doc-fra-000004", _access(mongo, 4)).status_code == 200
    refused = _rewrap(http, BEGINNER, "doc-fra-000004", _access(mongo, 4))
    assert (refused.status_code, refused.json()["details"]["check"]) == (403, "clearance")
    assert http.post(f"{FRA.url('kas')}/rewrap", json={}).status_code == 401


def test_a_look_at_the_key_service_takes_no_time_and_leaves_no_trace(
    country: Lab, mongo: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, rows = country.material.ca, mongo.key_releases.count_documents({})
    with pytest.raises(CheckFailed, match=r"401 issuer .* is not trusted"):
        key_release.ready(FRA, ca)
    monkeypatch.setattr(Names, "issuer", ISSUER)
    key_release.ready(FRA, ca)
    started = time.monotonic()
    key_release.ready(FRA, ca)
    key_release.key(FRA, {"FRA": public_key(KAS_KEY)}, ca)
    print(f"\nlook at the key service: {time.monotonic() - started:.3f} s")
    assert time.monotonic() - started < 2
    assert mongo.key_releases.count_documents({}) == rows
    with pytest.raises(CheckFailed) as other:
        key_release.key(FRA, {"FRA": public_key(ISSUER_KEY)}, ca)
    assert str(other.value.remedy) == "./dive restart FRA kas"


def test_the_key_of_a_secret_document_is_not_had_under_the_name_of_an_open_one(
    http: httpx.Client, mongo: Database[dict[str, Any]]
) -> None:
    answer = _rewrap(http, BEGINNER, "doc-fra-000001", _access(mongo, 4))
    assert (answer.status_code, answer.json()["details"]["check"]) == (403, "integrity")
    row = mongo.key_releases.find_one({"resourceId": "doc-fra-000001", "check": "integrity"})
    assert row is not None
    assert row["allow"] is False


@pytest.mark.parametrize("access", [None, {}, {"wrappedKey": "x"}, {"wrappedKey": "QUJD", "policyBinding": {}}])
def test_a_key_access_object_that_makes_no_sense_is_refused(http: httpx.Client, access: Any) -> None:
    assert _rewrap(http, FRENCH, "doc-fra-000001", access).status_code in (400, 403)


# Dependencies that are away


@contextmanager
def _without(country: Lab, service: str) -> Iterator[None]:
    container = _container(country, service)
    container.stop()
    try:
        yield
    finally:
        container.start()
        await_healthy(country.engine, container.name, 60)


def _container(country: Lab, service: str) -> Container:
    return country.engine.containers.get(FRA.container(service))


@pytest.mark.parametrize("service", ["opa", "mongodb", "kas"])
def test_nothing_is_read_without(country: Lab, http: httpx.Client, service: str) -> None:
    with _without(country, service):
        answer = _read(http, 1, FRENCH)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        health = http.get(f"{FRA.url('backend')}/api/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["dependencies"][service] == "down"
        with pytest.raises(CheckUnknown, match=f"{FRA.container(service)} is stopped"):
            key_release.ready(FRA, country.material.ca)
    assert _read(http, 1, FRENCH).status_code == 200


def test_without_redis_everything_works_and_health_reports_it(country: Lab, http: httpx.Client) -> None:
    with _without(country, "redis"):
        assert len(_get(http, "/api/resources?limit=5", _token(FRENCH)).json()["resources"]) == 5
        assert _read(http, 1, FRENCH).status_code == 200
        health = http.get(f"{FRA.url('backend')}/api/health").json()
        assert (health["status"], health["dependencies"]["redis"]) == ("degraded", "down")


# The portal


def _page(answer: httpx.Response) -> LexborHTMLParser:
    assert "text/html" in answer.headers["Content-Type"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    return LexborHTMLParser(answer.text)


def _text(page: LexborHTMLParser, selector: str) -> str:
    node = page.css_first(selector)
    assert node is not None, selector
    return node.text(strip=True)


def _sign_in(http: httpx.Client, query: str = "") -> httpx.Response:
    http.follow_redirects = True
    return http.get(f"{FRA.url('frontend')}/login{query}")


def test_the_welcome_page_offers_the_own_country_and_the_partners(http: httpx.Client) -> None:
    page = _page(http.get(FRA.url("frontend")))
    links = {a.attributes["id"]: a.attributes["href"] for a in page.css("a.button")}
    assert links == {"login-own": "/login", "login-usa": "/login?idp=USA"}


def test_a_partners_person_signs_in_reads_and_learns_why_not(country: Lab, http: httpx.Client) -> None:
    home = _page(_sign_in(http, "?idp=USA"))
    assert _text(home, "#claim-countryOfAffiliation") == "USA"
    assert _text(home, "#claim-uniqueID") == AMERICAN["uniqueID"]
    assert _text(home, "#claim-acpCOI") == "NATO"
    rows = {r.attributes["data-resource"]: r.attributes["data-allow"] for r in home.css("#documents tr[data-resource]")}
    assert (rows["doc-fra-000005"], rows["doc-fra-000007"]) == ("true", "false")
    opened = _page(http.get(f"{FRA.url('frontend')}/documents/doc-fra-000005"))
    assert _text(opened, "#content p") == document(FRA, 5)["content"].split("\n\n")[0]
    answer = http.get(f"{FRA.url('frontend')}/documents/doc-fra-000007")
    assert answer.status_code == 403
    refused = _page(answer)
    assert _text(refused, "#refusal h1") == "The document is not released to your country"
    assert _text(refused, "#reason")
    with _superuser(country, "portal") as postgres:
        rows_of_sessions = postgres.execute("SELECT id_hash, sealed FROM sessions").fetchall()
    assert rows_of_sessions
    assert not [s for _, s in rows_of_sessions if "eyJ" in s]


def test_a_session_is_renewed_ends_with_sign_out_and_its_cookie_is_locked_up(http: httpx.Client) -> None:
    _sign_in(http, "?idp=USA")
    (cookie,) = [c for c in http.cookies.jar if c.name == "__Host-dive-session"]
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert str(cookie.get_nonstandard_attr("SameSite")).lower() == "lax"
    # These people's access tokens end within the half minute in which they are renewed, so each page renews one.
    for _ in range(3):
        assert _page(http.get(FRA.url("frontend"))).css_first("#whoami")
    stolen = cookie.value
    assert _page(http.post(f"{FRA.url('frontend')}/logout")).css_first("#login-own")
    http.cookies.set("__Host-dive-session", stolen or "", domain=FRA.host("frontend"))
    assert _page(http.get(FRA.url("frontend"))).css_first("#login-own")


@pytest.mark.parametrize("query", ["", "?code=x&state=y", "?error=access_denied"])
def test_an_answer_to_no_sign_in_of_ours_is_refused(http: httpx.Client, query: str) -> None:
    answer = http.get(f"{FRA.url('frontend')}/callback{query}")
    assert answer.status_code == 400
    assert "was not started here" in _text(_page(answer), "#reason")


def test_an_answer_with_another_state_is_refused(http: httpx.Client) -> None:
    http.get(f"{FRA.url('frontend')}/login")
    answer = http.get(f"{FRA.url('frontend')}/callback?code=x&state=y")
    assert (answer.status_code, "another sign-in" in answer.text) == (400, True)


def test_an_unknown_partner_is_404(http: httpx.Client) -> None:
    assert http.get(f"{FRA.url('frontend')}/login?idp=XXX").status_code == 404


def test_the_portal_says_what_is_not_available(country: Lab, http: httpx.Client) -> None:
    _sign_in(http)
    with _without(country, "postgres"):
        answer = http.get(FRA.url("frontend"))
        assert answer.status_code == 503
        assert _text(_page(answer), "h1") == "Not available right now"
        assert http.get(f"{FRA.url('frontend')}/health").json()["dependencies"]["postgres"] == "down"
    assert _page(http.get(FRA.url("frontend"))).css_first("#whoami")


def test_logs_hold_neither_tokens_nor_secrets(country: Lab) -> None:
    for service in ("backend", "kas", "frontend"):
        text = _container(country, service).logs().decode()
        assert not re.search(r"eyJ[\w-]{20}", text), service
        assert not [name for name, secret in SECRETS.items() if secret in text], service
