"""The three services without their dependencies: settings, routes, and answers that need none of them."""

import asyncio
import json
import tarfile
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette

from dive_backend import distribution
from dive_backend.app import BackendApp
from dive_backend.settings import BackendSettings
from dive_common import stores
from dive_common.problems import HttpProblem, unavailable
from dive_common.settings import MissingSetting, ServiceFiles
from dive_frontend.app import PortalApp
from dive_frontend.settings import Partner, PortalSettings, partners
from dive_infra.catalog import policy
from dive_infra.catalog.applications import backend, frontend, kas
from dive_infra.catalog.opal.signature import signed_at
from dive_infra.catalog.spec import FILES, Material, ServiceSpec
from dive_infra.checks import key_release
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import Names
from dive_infra.crypto.pki import public_key
from dive_infra.identity import opal_token
from dive_kas.app import KeyAccessApp
from dive_kas.settings import KeyAccessSettings
from tests.support.lab import certificates

FRA, DEU, USA = (Names(country) for country in (COUNTRIES["FRA"], COUNTRIES["DEU"], HUB))
Start = Callable[[ServiceSpec], None]
Send = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def container(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Give this process the variables and files that the catalog declares for a service."""
    certificate, tls_key, ca = certificates(FRA, USA)
    secrets = {row.name: key if row.kind == "rsa" else f"secret-of-{row.name}" for row in CREDENTIALS}
    stores.database.cache_clear()

    def start(spec: ServiceSpec) -> None:
        known = {code: public_key(key) for code in ("USA", "FRA")}
        for path, text in spec.files(Material(secrets, certificate, tls_key, ca, known, "{}")).items():
            file = tmp_path / Path(path).relative_to(FILES)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for name, value in spec.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DIVE_FILES", str(tmp_path))

    return start


def _client(app: Starlette) -> Send:
    """Return a function that sends a request to the application, without a network."""

    async def send(method: str, path: str, **how: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            return await client.request(method, path, **how)

    def run(method: str, path: str, **how: Any) -> httpx.Response:
        # With a loop factory the runner leaves the main thread's loop alone, which other tests use.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(send(method, path, **how))

    return run


def test_each_service_reads_what_the_catalog_declares(container: Start, tmp_path: Path) -> None:
    container(backend(FRA, USA))
    api = BackendSettings()
    assert (api.port, api.kas_url, api.is_hub) == (FRA.port("backend"), FRA.url("kas"), False)
    container(backend(USA, USA))
    assert BackendSettings().is_hub
    container(kas(FRA, USA))
    access = KeyAccessSettings()
    assert (access.port, access.kas_id, access.issuers) == (FRA.port("kas"), FRA.kas_id, (FRA.issuer,))
    container(frontend(FRA, USA, [USA]))
    portal = PortalSettings()
    realms = partners((tmp_path / "partners.json").read_text())
    assert realms.offered == (Partner("USA", USA.idp_alias, USA.country.name),)
    assert realms.origins == (FRA.url("keycloak"), USA.url("keycloak"))
    assert {api.instance_code, access.instance_code, portal.instance_code} == {"FRA"}
    assert portal.files == ServiceFiles(tmp_path)


def test_a_missing_variable_is_named(container: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    container(kas(FRA, USA))
    monkeypatch.delenv("KAS_ID")
    with pytest.raises(MissingSetting, match="environment variable KAS_ID is not set"):
        KeyAccessSettings()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"partners": [{"code": "USA"}], "identityOrigins": []}'])
def test_partners_in_another_form_are_refused(container: Start, tmp_path: Path, text: str) -> None:
    container(frontend(FRA, USA, []))
    PortalApp(PortalSettings())
    (tmp_path / "partners.json").write_text(text)
    with pytest.raises(MissingSetting, match=r"partners.json cannot be used: (expected|Expecting) "):
        PortalApp(PortalSettings())


def test_the_portal_offers_a_country_that_joins_and_no_longer_one_that_left_while_it_runs(container: Start) -> None:
    container(frontend(USA, USA, [FRA]))
    client = _client(PortalApp(PortalSettings()).starlette())

    def offers(country: Names) -> tuple[bool, bool, bool]:
        page, code = client("GET", "/"), country.country.code
        allowed = country.url("keycloak") in page.headers["Content-Security-Policy"]
        known = code in client("GET", "/login?idp=XXX").text  # the refusal lists those that are known
        return f'id="login-{code.lower()}"' in page.text, allowed, known

    assert (offers(FRA), offers(DEU)) == ((True, True, True), (False, False, False))
    container(frontend(USA, USA, [DEU]))
    assert (offers(FRA), offers(DEU)) == ((False, False, False), (True, True, True))


@pytest.mark.parametrize(
    ("path", "headers", "reason"),
    [
        ("/api/whoami", {}, "expected a bearer token"),
        ("/api/resources", {"Authorization": "Basic eDp4"}, "expected a bearer token"),
        ("/api/resources/doc-fra-000001", {"Authorization": "Bearer x"}, "the token cannot be read"),
    ],
)
def test_the_backend_answers_no_one_without_a_token(
    container: Start, path: str, headers: Mapping[str, str], reason: str
) -> None:
    container(backend(FRA, USA))
    answer = _client(BackendApp(BackendSettings()).starlette())("GET", path, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert reason in answer.json()["reason"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_only_the_hub_distributes_policies(container: Start) -> None:
    assert distribution.BUNDLE == policy.BUNDLE
    container(backend(FRA, USA))
    assert _client(BackendApp(BackendSettings()).starlette())("GET", policy.BUNDLE).status_code == 404
    container(backend(USA, USA))
    client = _client(BackendApp(BackendSettings()).starlette())
    assert client("GET", policy.BUNDLE).status_code == 401
    for path in ("policies/bundle.tar.gz", "data-sources", "trusted-issuers"):
        assert client("GET", f"/api/opal/{path}").status_code == 404, "nothing of it goes unsigned"


def test_the_hub_takes_a_token_that_ends_and_its_own(
    container: Start, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "feed", lambda _, collection: {"success": True, collection: []})
    container(backend(USA, USA))
    client = _client(BackendApp(BackendSettings()).starlette())

    def answer(token: str) -> tuple[int, str]:
        found = client("GET", policy.BUNDLE, headers={"Authorization": f"Bearer {token}"})
        return found.status_code, "" if found.status_code == 200 else found.json()["reason"]

    assert answer(opal_token.mint_opal_token(key, "FRA")) == (200, "")
    assert answer(opal_token.mint_hub_token(key, "USA")) == (200, "")
    eternal = 'the country\'s token is not valid: Token is missing the "exp" claim'
    assert answer(opal_token.mint_hub_token(key, "FRA")) == (401, eternal)
    with monkeypatch.context() as then:
        then.setattr(opal_token, "time", SimpleNamespace(time=lambda: 1000))
        ended = opal_token.mint_opal_token(key, "FRA")
    assert answer(ended)[1].endswith("Signature has expired")


def test_the_hub_signs_policies_and_data_once_per_revision(
    container: Start, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = [{"_id": 1, "name": "NATO"}]
    monkeypatch.setattr(distribution, "feed", lambda _, collection: {"success": True, collection: list(rows)})
    container(backend(USA, USA))
    client = _client(BackendApp(BackendSettings()).starlette())
    headers = {"Authorization": f"Bearer {opal_token.mint_opal_token(key, 'FRA')}"}

    ticks = count()

    def signed_now(now: int) -> tuple[str, int]:
        """Return the ETag and the time of the signature."""
        monkeypatch.setattr(distribution, "time", SimpleNamespace(time=lambda: now, monotonic=ticks.__next__))
        answer = client("GET", policy.BUNDLE, headers=headers)
        with tarfile.open(fileobj=BytesIO(answer.content)) as tar:
            files = {m.name: packed.read().decode() for m in tar if (packed := tar.extractfile(m))}
        assert json.loads(files["data.json"])["dive"]["coi_definitions"]["coi_definitions"] == rows
        return answer.headers["ETag"], signed_at(files, public_key(key))

    monkeypatch.setattr(distribution, "FRESH", 0)
    tag, first = signed_now(1000)
    assert first == 1000
    assert signed_now(2000) == (tag, 1000)
    assert client("GET", policy.BUNDLE, headers=headers | {"If-None-Match": tag}).status_code == 304
    rows.append({"_id": 2, "name": "FVEY"})
    other, second = signed_now(3000)
    assert (other != tag, second) == (True, 3000)
    rows.append({"_id": 3, "name": "COSMIC"})
    assert signed_now(3000)[1] == 3001, "later than what it replaces, in the same second"
    rows.pop()
    assert signed_now(2000) == (other, 3002), "whatever the clock says"
    container(backend(USA, USA))
    client = _client(BackendApp(BackendSettings()).starlette())
    assert signed_now(4000) == (other, 4000), "a restarted backend signs again, and the revision is the same"


def test_all_members_get_what_was_read_once_in_a_second(
    container: Start, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that it could not be read: else those who poll would wait one after another for a database that hangs."""
    seconds, read, problems = [0.0], list[str](), list[HttpProblem]()

    def feed(_: object, collection: str) -> dict[str, Any]:
        read.append(collection)
        if problems:
            raise problems[0]
        return {"success": True, collection: []}

    monkeypatch.setattr(distribution, "feed", feed)
    monkeypatch.setattr(distribution, "time", SimpleNamespace(time=lambda: 1, monotonic=lambda: seconds[0]))
    container(backend(USA, USA))
    client = _client(BackendApp(BackendSettings()).starlette())
    headers = {"Authorization": f"Bearer {opal_token.mint_opal_token(key, 'FRA')}"}

    def asked() -> tuple[int, int]:
        """Return the status, and how often the database was read."""
        read.clear()
        return client("GET", policy.BUNDLE, headers=headers).status_code, len(read)

    assert asked() == (200, len(distribution.FEEDS))
    assert asked() == (200, 0)
    problems.append(unavailable("mongodb", TimeoutError()))
    assert asked() == (200, 0)
    seconds[0] += distribution.FRESH
    assert [asked(), asked()] == [(503, 1), (503, 0)]
    problems.clear()
    seconds[0] += distribution.FRESH
    assert asked() == (200, len(distribution.FEEDS))


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[]", 400), ("{}", 401)],
    ids=["no JSON", "no object", "no token"],
)
def test_the_key_access_service_refuses_a_malformed_request(container: Start, body: str, status: int) -> None:
    container(kas(FRA, USA))
    answer = _client(KeyAccessApp(KeyAccessSettings()).starlette())("POST", "/rewrap", content=body)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_key_access_service_answers_the_probe_as_expected(
    container: Start, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def realm(request: httpx.Request) -> httpx.Response:
        metadata = {"issuer": FRA.issuer, "jwks_uri": f"{FRA.issuer}/certs"}
        return httpx.Response(200, json={"keys": []} if request.url.path.endswith("/certs") else metadata)

    container(kas(FRA, USA))
    monkeypatch.setattr(ServiceFiles, "http", lambda _: httpx.Client(transport=httpx.MockTransport(realm)))
    client = _client(KeyAccessApp(KeyAccessSettings()).starlette())
    for issuer, reason in ((FRA, key_release.REFUSAL), (USA, f"issuer '{USA.issuer}' is not trusted")):
        headers = {"Authorization": f"Bearer {key_release.unsigned(issuer)}"}
        answer = client("POST", "/rewrap", headers=headers, json={})
        assert (answer.status_code, answer.json()["reason"][: len(reason)]) == (401, reason)
    assert client("GET", "/public-key").json() == {"kasId": FRA.kas_id, "publicKey": public_key(key)}


def test_the_portal_needs_no_one_for_its_welcome_page_and_its_refusals(container: Start) -> None:
    container(frontend(FRA, USA, [USA]))
    client = _client(PortalApp(PortalSettings()).starlette())
    welcome = client("GET", "/")
    assert (welcome.status_code, 'id="login-usa"' in welcome.text) == (200, True)
    assert client("GET", "/login?idp=XXX").status_code == 404
    unknown = client("GET", "/callback?code=x&state=y")
    assert (unknown.status_code, "was not started here" in unknown.text) == (400, True)
    assert client("GET", "/documents/doc-fra-000001").headers["Location"] == "/"
    session = client("GET", "/session")
    assert (session.status_code, session.json()["error"]) == (401, "unauthorized")
    assert client("GET", "/static/style.css").status_code == 200
