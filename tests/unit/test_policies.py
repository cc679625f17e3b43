"""The policies' own tests, the seeds under these policies, and what the catalog declares for OPA and OPAL."""

import gzip
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dive_backend import distribution
from dive_common.decisions import DecisionPoint, resource_of
from dive_infra.catalog import policy
from dive_infra.catalog.services import services
from dive_infra.catalog.spec import Material
from dive_infra.checks import decisions
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.identity import opal_token
from dive_infra.seeds.batches import batches
from dive_infra.seeds.documents import CORNERSTONES, document
from dive_infra.toolchain import toolchain
from tests.support.waiting import wait_for

USA, FRA, DEU = (Names(country) for country in (HUB, COUNTRIES["FRA"], COUNTRIES["DEU"]))


@pytest.fixture(scope="session")
def opa() -> Path:
    return toolchain.binary("opa", print)


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# OPA gives a test five seconds by itself: too little beside a coalition.
@pytest.mark.parametrize("command", [("test", "--timeout", "60s"), ("check", "--strict"), ("fmt", "--list", "--fail")])
def test_the_policies_hold(opa: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run([opa, *command, policy.POLICIES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _ask(opa: Path, data: Path, question: Mapping[str, Any], *policies: Path) -> Any:
    """Return the answer to the services by the policies, or by those below these folders."""
    return _evaluated(opa, data, question, "data.national.answer", *policies)


def _evaluated(opa: Path, data: Path, question: Mapping[str, Any], query: str, *policies: Path) -> Any:
    places = [word for folder in policies or (policy.POLICIES,) for word in ("--data", str(folder))]
    done = subprocess.run(
        [opa, "eval", "--format=raw", *places, "--data", data, "--stdin-input", query],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("tenant", [USA, FRA], ids=["hub", "spoke"])
def test_a_country_that_can_work_decides_the_probes_as_expected(opa: Path, data: Path, tenant: Names) -> None:
    for what, changes, denied_by in decisions.CASES:
        answer = _ask(opa, data, decisions.question(tenant, changes))
        assert (answer["allow"], answer["evaluation_details"]["check"]) == (not denied_by, denied_by), what


def test_a_probe_sees_each_check_that_someone_switched_off(opa: Path, data: Path, tmp_path: Path) -> None:
    for what, changes, denied_by in decisions.CASES:
        if not denied_by:
            continue
        altered = tmp_path / denied_by
        shutil.copytree(policy.POLICIES, altered)
        (altered / "checks" / f"{denied_by}.rego").write_text(f"package dive.checks.{denied_by}\n\npass := true\n")
        answer = _ask(opa, data, decisions.question(FRA, changes), altered)
        assert answer["evaluation_details"]["check"] != denied_by, what


RULE = """package national.checks.working_hours

default pass := false

pass if time.clock(time.parse_rfc3339_ns(input.context.currentTime))[0] in numbers.range(7, 18)

reason := "Nothing is read at night"
"""


@pytest.mark.parametrize(
    ("rules", "denied_by"),
    [
        ({}, ""),
        ({"working_hours": RULE}, "national.working_hours"),  # the probe asks at midnight
        ({"working_hours": RULE.replace("(7, 18)", "(0, 23)")}, ""),
        ({"undefined": "package national.checks.undefined\n\npass if input.subject.nothing\n"}, "national.undefined"),
        ({"empty": "package national.checks.empty\n"}, "national.empty"),
    ],
)
def test_a_rule_of_the_country_denies_what_the_coalition_permits_and_permits_nothing(
    opa: Path, data: Path, tmp_path: Path, rules: Mapping[str, str], denied_by: str
) -> None:
    for code, text in rules.items():
        (tmp_path / f"{code}.rego").write_text(text)
    for what, changes, denied_by_coalition in decisions.CASES:
        question = decisions.question(FRA, changes)
        answer = _ask(opa, data, question, policy.POLICIES, tmp_path)
        check = denied_by_coalition or denied_by
        assert (answer["allow"], answer["evaluation_details"]["check"]) == (not check, check), what
        if not rules:
            assert answer == _evaluated(opa, data, question, "data.dive.authz"), "as without this module"


class Rows(list[dict[str, Any]]):
    """A collection."""

    def find(self) -> "Rows":
        return self


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file with OPA's data as the hub delivers it."""
    database: Any = {batch.collection: Rows(batch.documents) for batch in batches(USA, [FRA, DEU], "", 1)}
    feeds = {collection: distribution.feed(database, collection) for collection in distribution.FEEDS}
    file = tmp_path_factory.mktemp("opa") / "data.json"
    file.write_text(json.dumps({"dive": feeds}))
    return file


def _decide(opa: Path, data: Path, subject: Mapping[str, Any], tenant: Names, number: int) -> str:
    """The code of the check that denies cornerstone `number` of the tenant; empty when it is permitted."""
    question = {
        "subject": {
            "authenticated": True,
            "uniqueID": "somebody",
            "issuer": tenant.issuer,
            "mfa_used": False,
            **subject,
        },
        "action": {"operation": "view"},
        "resource": resource_of(document(tenant, number)),
        "context": {"tenant": tenant.country.code, "acr": "1", "currentTime": "2026-06-01T00:00:00Z"},
    }
    answer = _ask(opa, data, question)
    check: str = answer["evaluation_details"]["check"]
    assert answer["allow"] == (not check), answer
    return check


def _person(country: str, clearance: str, *communities: str) -> dict[str, Any]:
    return {"countryOfAffiliation": country, "clearance": clearance, "acpCOI": list(communities)}


# person, whose documents -> the deciding check of each cornerstone, in their order
@pytest.mark.parametrize(
    ("person", "tenant", "checks"),
    [
        (
            _person("FRA", "TOP_SECRET", "NATO", "FVEY"),
            FRA,
            ["", "", "", "", "", "", "", "", "country", "embargo"],
        ),
        (
            _person("FRA", "TOP_SECRET", "NATO", "FVEY"),
            USA,
            ["", "", "", "", "", "", "country", "country", "country", "embargo"],
        ),
        (
            _person("USA", "SECRET", "NATO"),
            FRA,
            ["", "", "", "", "", "clearance", "country", "country", "country", "embargo"],
        ),
        (
            _person("USA", "CONFIDENTIAL"),
            FRA,
            ["", "", "", "clearance", "clearance", "clearance", "country", "clearance", "country", "embargo"],
        ),
        (
            _person("USA", "SECRET"),
            USA,
            ["", "", "", "", "coi", "clearance", "", "", "country", "embargo"],
        ),
        # Britain is no member of this coalition
        (
            _person("GBR", "SECRET", "NATO"),
            FRA,
            [*(["federation"] * 5), "clearance", "country", "country", "country", "embargo"],
        ),
    ],
)
def test_the_seeds_are_decided_as_they_were_meant(
    opa: Path, data: Path, person: Mapping[str, Any], tenant: Names, checks: list[str]
) -> None:
    found = [_decide(opa, data, person, tenant, number) for number in range(1, len(CORNERSTONES) + 1)]
    assert found == checks


def test_a_countrys_token_ends_and_that_of_the_hub_is_stable(key: str) -> None:
    hub = opal_token.mint_hub_token(key, "USA")
    assert hub == opal_token.mint_hub_token(key, "USA") != opal_token.mint_hub_token(key, "FRA")
    token = opal_token.mint_opal_token(key, "FRA")
    claims = jwt.decode(
        token,
        pki.public_key(key),
        ["RS256"],
        audience=distribution.OPAL_AUDIENCE,
        issuer="FRA",
    )
    assert claims["country"] == "FRA"
    assert 0 < claims["exp"] - time.time() <= opal_token.LIFETIME
    assert "permitted_topics" not in claims, "what its holder may do, the hub decides"


def test_a_bundle_depends_on_its_content_alone() -> None:
    files = {"b.rego": b"package b", "a/a.rego": b"package a"}
    assert distribution.bundle(files) == distribution.bundle(dict(reversed(files.items())))
    assert distribution.bundle(files) != distribution.bundle(files | {"b.rego": b"package c"})


@pytest.mark.parametrize(
    ("names", "make"),
    [(USA, policy.opa), (FRA, policy.opa), (USA, policy.opal_server), (FRA, policy.opal_client)],
)
def test_secrets_arrive_as_files_alone(names: Names, make: Any, key: str) -> None:
    secrets = {row.name: key if row.kind == "rsa" else f"secret-of-{row.name}" for row in CREDENTIALS}
    spec = make(names, USA)
    seen = json.dumps([spec.command, dict(spec.environment), spec.health.test])
    assert not [value for value in secrets.values() if value in seen]
    files = spec.files(Material(secrets, "certificate", "key", "ca", {"USA": "hub's key"}))
    assert all(path.startswith("/etc/dive/") for path in files)
    # OPA's own rule knows the tokens by their hashes, so that who may list policies does not read them.
    assert "secret-of-opa" not in files.get("/etc/dive/local/access.rego", "")


class Read(dict[str, str]):
    """Knows which of its keys were read."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.read = set[str]()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_a_service_is_made_of_the_secrets_that_it_names_and_of_no_others(names: Names, key: str) -> None:
    for spec in services(names, USA, [FRA if names is USA else USA], {}):
        secrets = Read({row.name: key if row.kind == "rsa" else f"secret-of-{row.name}" for row in CREDENTIALS})
        spec.files(Material(secrets, "certificate", "key", "ca", {"USA": "hub's key"}))
        assert secrets.read == set(spec.secrets), spec.name


# Deciding and reading each have their own token; no one writes.

TOKENS = {name: f"secret-of-{name}" for name in policy.OPA_TOKENS}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WRITES = {"PUT", "PATCH", "DELETE"}
_WORDS = ("v1", "v0", "data", "policies", "query", "compile", "dive", "authz", "health", "etc")
PATHS = [path for size in range(4) for path in product(_WORDS, repeat=size)] + [
    tuple(path.split("/"))
    for path in (
        *(
            "v1/data/national/answer",
            "v1/data/national/answer/allow",
            "v1/data/dive/authz",
            "v1/data/dive/authz/allow",
            "v1/data/dive/coi",
            "v1/data/dive/authz/",
            "v0/data/dive/authz",
        ),
        *(
            "v1/data/system/authz",
            "v1/data/system/bundles/etc",
            "v1/policies/checks/mfa.rego",
            "v1/policies/etc/dive/local/access.rego",
            "v1/data/dive%2Fauthz",
        ),
    )
]
DECISION, HEALTH = ("v1", "data", "national", "answer"), ("health",)


@pytest.fixture(scope="module")
def permitted(opa: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return, for tokens of OPA, (holder, method, path) of every permitted request, as OPA itself judges."""

    def asked(tokens: Mapping[str, str]) -> set[tuple[str, str, tuple[str, ...]]]:
        folder = tmp_path_factory.mktemp("access")
        (folder / "access.rego").write_text(policy.access(tokens))
        people = {**TOKENS, **tokens, "a wrong token": "wrong", "an empty token": "", "no token": None}
        (folder / "requests.json").write_text(
            json.dumps({"requests": {"people": people, "methods": METHODS, "paths": PATHS}})
        )
        query = """[[who, method, path] |
            some who, token in data.requests.people; some method in data.requests.methods
            some path in data.requests.paths
            known := {"identity": held | held := token; held != null}
            data.system.authz.allow.allowed with input as object.union({"method": method, "path": path}, known)]"""
        for command in (("check", "--strict"), ("fmt", "--list", "--fail")):
            subprocess.run([opa, *command, folder / "access.rego"], check=True)
        done = subprocess.run(
            [opa, "eval", "--format=raw", "--data", folder, query], capture_output=True, text=True, check=True
        )
        return {(who, method, tuple(path)) for who, method, path in json.loads(done.stdout)}

    return asked


def test_each_token_of_opa_permits_its_own_purpose_and_nothing_else(permitted: Any) -> None:
    found = permitted(TOKENS)
    for who in (*TOKENS, "a wrong token", "an empty token", "no token"):
        may = {(method, path) for holder, method, path in found if holder == who}
        content = {path for path in PATHS if path[:2] in (("v1", "data"), ("v1", "policies"))}
        wanted = {("GET", HEALTH)}
        if who in ("opa-token", "opa-read"):
            wanted |= {("POST", DECISION)}
        if who == "opa-read":
            wanted |= {("GET", path) for path in content}
        assert may == wanted, who
    assert not [holder for holder, method, _ in found if method in WRITES]


def test_of_two_tokens_with_one_value_the_weaker_counts(permitted: Any) -> None:
    same = permitted({**TOKENS, "opa-read": TOKENS["opa-token"]})
    may = {(method, path) for holder, method, path in same if holder == "opa-token"}
    assert may == {("GET", HEALTH), ("POST", DECISION)}


NIGHT = 'package national.checks.night\n\ndefault pass := false\n\npass if input.hour < 20\n\nreason := "Night"\n'
COALITION = 'package dive.authz\n\nallow := true\n\nevaluation_details := {"check": ""}\n'


class Feeder:
    """What a spoke's OPA polls, as its OPAL client: `bundle`, and how often OPA has `fetched` one."""

    def __init__(self) -> None:
        self.bundle, self.fetched = b"", 0
        feeder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if feeder.bundle else 503)
                self.end_headers()
                self.wfile.write(feeder.bundle)
                feeder.fetched += bool(feeder.bundle)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def distribute(
        self, key: str, policies: Mapping[str, str], roots: tuple[str, ...] = ("dive",), **altered: str
    ) -> None:
        """Offer a bundle, and wait until OPA has judged it. `altered`: modules that are put in after the signature."""
        files = {f"{path}.rego": text.encode() for path, text in policies.items()}
        manifest = {"revision": str(self.fetched), "roots": roots, "rego_version": 1}
        files |= {"data.json": distribution._json({"dive": {"coi": {}}}), ".manifest": distribution._json(manifest)}
        files |= {distribution.SIGNATURES: distribution.signature(files, key, 1)}
        self.bundle = distribution.bundle(files | {f"{path}.rego": text.encode() for path, text in altered.items()})
        wanted = self.fetched + 2  # the first of two is judged when the second is fetched
        wait_for(lambda: self.fetched >= wanted, within=60)


@pytest.fixture
def feeder() -> Iterator[Feeder]:
    made = Feeder()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


@pytest.fixture
def server(opa: Path, tmp_path: Path, key: str, feeder: Feeder) -> Iterator[httpx.Client]:
    """A spoke's OPA without TLS, with its local modules and a rule of the country, for the token that reads."""
    spec = policy.opa(FRA, USA, {"night": NIGHT})
    settings_file = spec.command[spec.command.index("--config-file") + 1]
    for path, text in spec.files(Material(TOKENS, "certificate", "key", "ca", {"USA": pki.public_key(key)})).items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == settings_file:
            settings = json.loads(text)
            assert settings["services"]["hub"].keys() == {"url", "tls"}
            settings["services"]["hub"] = {"url": f"http://127.0.0.1:{feeder.server.server_port}"}
            settings["bundles"]["dive"]["polling"] = {"min_delay_seconds": 1, "max_delay_seconds": 1}
            text = json.dumps(settings)
        file.write_text(text)
    [bundle] = spec.command[spec.command.index("--bundle") + 1 :]
    socket = tmp_path / "opa.sock"
    limits = ("--authentication=token", "--authorization=basic", "--disable-telemetry", "--log-level=error")
    places = ("--config-file", tmp_path / settings_file.lstrip("/"), "--bundle", tmp_path / bundle.lstrip("/"))
    command = [opa, "run", "--server", "--addr", f"unix://{socket}", *limits, *places]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        headers = {"Authorization": f"Bearer {TOKENS['opa-read']}"}
        transport = httpx.HTTPTransport(uds=str(socket), retries=6)  # waits 0.5, 1, 2, … seconds
        with httpx.Client(transport=transport, base_url="http://opa", headers=headers, timeout=30) as http:
            assert http.get("/health").status_code == 200
            yield http
    finally:
        process.kill()
        process.wait()


def _asked(server: httpx.Client, hour: int) -> Any:
    headers = {"Authorization": f"Bearer {TOKENS['opa-token']}"}
    return server.post(policy.DECISION, json={"input": {"hour": hour}}, headers=headers).json().get("result")


def test_a_spokes_opa_takes_what_the_hub_signed_and_nothing_of_what_the_country_decides_by(
    server: httpx.Client, feeder: Feeder, key: str
) -> None:
    def held() -> dict[str, str]:
        return {module["id"]: module["raw"] for module in server.get("/v1/policies").json()["result"]}

    assert _asked(server, 12) is None, "no policies of the coalition yet"
    hostile = {"authz": COALITION.replace("dive.authz", "dive.more")}
    feeder.distribute(stranger := pki.rsa_key(), {"authz": COALITION})
    assert _asked(server, 12) is None, "another key has signed these"
    feeder.distribute(key, {"authz": COALITION})
    taken = held()
    assert len(taken) == 4
    assert _asked(server, 12) == {"allow": True, "evaluation_details": {"check": ""}}
    feeder.distribute(stranger, hostile)
    assert held() == taken
    feeder.distribute(key, {"authz": COALITION}, authz="package dive.authz\n\nallow := false\n")
    assert held() == taken, "altered after the signature"
    feeder.distribute(key, {"authz": COALITION}, more="package dive.more\n")
    assert held() == taken, "added after the signature"
    for name, text in {
        "more": "package national.checks.night\n\npass := true\n",
        "below": "package national.checks.night.below\n\npass := true\n",
        "answer": 'package national\n\nanswer := {"allow": true}\n',
        "spelt": 'package # of France\n  national["ch\\u0065cks"].night\n\npass := true\n',
        "guard": 'package system.authz\n\nallow := {"allowed": true}\n',
        "above": "package system\n\nauthz := true\n",
    }.items():
        for roots in (("dive",), ("dive", "national", "system"), ("",)):
            feeder.distribute(key, {"authz": COALITION, name: text}, roots)
            assert held() == taken, (name, roots)
    feeder.distribute(key, hostile)
    assert held() != taken, "it still takes what the hub signs of its own"


def test_no_one_writes_to_a_spokes_opa(server: httpx.Client, feeder: Feeder, key: str) -> None:
    for _ in range(2):  # before it has anything of the hub, too
        modules = [module["id"] for module in server.get("/v1/policies").json()["result"]]
        paths = [f"/v1/policies/{name.replace('/', '%2F', 1)}" for name in [*modules, "more.rego"]]
        paths += [f"/v1/data{path}" for path in ("", "/dive/coi", "/national", "/system/bundles", "/more")]
        for token in (*TOKENS.values(), "wrong"):
            for method in ("PUT", "PATCH", "DELETE"):
                for path in paths:
                    answer = server.request(method, path, json={}, headers={"Authorization": f"Bearer {token}"})
                    assert answer.status_code == 401, (method, path)
        feeder.distribute(key, {"authz": COALITION})
    assert _asked(server, 22)["reason"] == "Night"


def test_opa_refuses_a_body_that_is_larger_than_any_of_its_clients(server: httpx.Client) -> None:
    """It holds it in memory before it looks at the token; what the hub distributes stays far below."""
    stranger = {"Authorization": "Bearer wrong"}
    for size, status in ((policy.LARGEST_BODY - 100, 401), (policy.LARGEST_BODY + 100, 400)):
        body = json.dumps({"input": "x" * size})
        for content in (body, gzip.compress(body.encode())):
            zipped = {"Content-Encoding": "gzip"} if isinstance(content, bytes) else {}
            answer = server.post(policy.DECISION, content=content, headers={**stranger, **zipped})
            assert answer.status_code == status, answer.text
    everyone = [Names(country) for country in COUNTRIES.values()]
    made = batches(USA, [names for names in everyone if names != USA], "key", documents=1)
    rows = {batch.collection: batch.documents for batch in made}
    feeds = {name: len(json.dumps(rows[name])) for name in distribution.FEEDS}
    assert max(feeds.values()) < policy.LARGEST_BODY / 2, feeds
    assert max(map(len, policy.policies().values())) < policy.LARGEST_BODY / 2


def test_the_services_ask_where_their_token_permits_it() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(200, json={"result": {"allow": False}})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        DecisionPoint("https://opa", "t", http).decide({})
    assert asked == [f"POST {policy.DECISION}"] == ["POST /" + "/".join(DECISION)]


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_a_container_holds_only_the_token_of_opa_that_it_needs(names: Names, key: str) -> None:
    secrets = {row.name: key if row.kind == "rsa" else f"secret-of-{row.name}" for row in CREDENTIALS}
    held = {}
    for spec in services(names, USA, [FRA if names is USA else USA], {}):
        texts = spec.files(Material(secrets, "certificate", "key", "ca", {"USA": "hub's key"})).values()
        if tokens := {name for name in TOKENS if any(secrets[name] in text for text in texts)}:
            held[spec.name] = tokens
    assert held == {"backend": {"opa-token"}, "kas": {"opa-token"}}


def test_tests_are_not_distributed() -> None:
    assert "authz.rego" in policy.policies()
    assert not [path for path in policy.policies() if "local" in path], "each country's own files have these"
    assert not [path for path in policy.policies() if "test" in path]
