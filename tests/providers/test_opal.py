"""Policies and data from the hub's MongoDB to the OPA of another country: real containers, TLS verified everywhere."""

import json
import random
import ssl
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date
from functools import cache
from io import BytesIO
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import Mount
from pymongo.database import Database

from dive_backend import distribution
from dive_infra.catalog import applications, policy
from dive_infra.catalog.datastores import ROOT_USER, mongodb
from dive_infra.catalog.opal.signature import SIGNATURES, signed_at
from dive_infra.catalog.spec import FILES, Material
from dive_infra.checks import policy_engine
from dive_infra.checks.runner import CheckFailed
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.credentials import CREDENTIALS
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.crypto.pki import public_key
from dive_infra.engines.docker import engine, files
from dive_infra.engines.docker.containers import await_healthy
from dive_infra.engines.engine import ContainerFailed
from dive_infra.identity.opal_token import mint_hub_token, mint_opal_token
from dive_infra.images.resolution import resolve
from dive_infra.results.finding import Finding
from dive_infra.seeds.batches import batches
from dive_infra.seeds.loader import Loader
from dive_infra.seeds.store import SeedStoreAccess, connect
from tests.support import opa_mutations
from tests.support.lab import Lab, certificates
from tests.support.waiting import wait_for

Mongo = Database[dict[str, Any]]


class Beside(Names):
    """A country whose containers are all on the network of one link, as those that the hub and a spoke need are."""

    @property
    def network(self) -> str:
        return f"{self.namespace}-link-fra-usa"


USA, FRA, DEU = (Beside(country, "h-opal") for country in (HUB, COUNTRIES["FRA"], COUNTRIES["DEU"]))


@cache
def _key(_: str) -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _secrets(names: Names) -> dict[str, str]:
    made = {row.name: f"{row.name}-of-{names.country.lower}-for-tests" for row in CREDENTIALS}
    made |= {row.name: _key(row.name) for row in CREDENTIALS if row.kind == "rsa"}
    return made | {"policy-key": _key(f"policy-key of {names.country.code}")}


def _token(names: Names) -> str:
    return mint_opal_token(_secrets(names)["policy-key"], names.country.code)


POLICY_KEYS = {names.country.code: public_key(_secrets(names)["policy-key"]) for names in (USA, FRA)}


def _material(names: Names, certificate: str, key: str, ca: str) -> Material:
    return Material(_secrets(names), certificate, key, ca, POLICY_KEYS, "{}")


EXPELLED = "someone whom France does not serve"
RULES = {
    "expelled": f"""package national.checks.expelled

default pass := false

pass if input.subject.uniqueID != "{EXPELLED}"

reason := "France does not serve this person"
"""
}


class Coalition:
    """Hub and spoke; `ask` puts a question to a country's OPA."""

    def __init__(self, usa: Lab, fra: Lab, database: Mongo) -> None:
        self.labs = {"USA": usa, "FRA": fra}
        self.database = database
        self._trust = ssl.create_default_context(cadata=usa.material.ca)

    def call(self, names: Names, service: str, path: str, token: str, **more: Any) -> httpx.Response:
        url = f"https://{LOOPBACK}:{names.port(service)}{path}"
        headers = {"Authorization": f"Bearer {token}".strip()} | more.pop("headers", {})
        method = more.pop("method", "GET")
        return httpx.request(method, url, headers=headers, verify=self._trust, timeout=10, trust_env=False, **more)

    def ask(self, names: Names, question: Mapping[str, Any]) -> dict[str, Any]:
        token = self.labs[names.country.code].material.secrets["opa-token"]
        answer = self.call(names, "opa", policy.DECISION, token, method="POST", json={"input": question})
        result: dict[str, Any] = answer.raise_for_status().json().get("result", {})
        return result

    def check(self, names: Names, question: Mapping[str, Any]) -> str | None:
        """The code of the deciding check, empty when permitted, None without a policy."""
        check: str | None = self.ask(names, question).get("evaluation_details", {}).get("check")
        return check


@pytest.fixture(scope="module")
def coalition() -> Iterator[Coalition]:
    with closing(engine.client()) as client, ExitStack() as undo:
        network = client.networks.create(USA.network)
        undo.callback(network.remove)
        certificate, key, ca = certificates(USA, FRA, DEU)
        usa, fra = (Lab(client, names, _material(names, certificate, key, ca)) for names in (USA, FRA))
        for lab in (usa, fra):
            undo.callback(lab.close)
        usa.start(mongodb(USA, USA))
        password = usa.material.secrets["mongodb"]
        target = SeedStoreAccess(LOOPBACK, USA.port("mongodb"), ROOT_USER, password, USA.mongo_database, ca)
        database = undo.enter_context(connect(target))
        for batch in batches(USA, [FRA], public_key(_key("kas-key")), 10):
            Loader(database).load(batch)
        usa.start(policy.opa(USA, USA))
        usa.start(applications.backend(USA, USA))
        usa.start(policy.opal_server(USA, USA))
        fra.start(policy.opa(FRA, USA, RULES))
        fra.start(policy.opal_client(FRA, USA))
        print(f"\nseconds to healthy: hub {usa.seconds}, spoke {fra.seconds}")
        yield Coalition(usa, fra, database)


def question(tenant: Names, **subject: Any) -> dict[str, Any]:
    """A question that is permitted without a change: a SECRET document of NATO, read in France by one of France."""
    return {
        "subject": {
            "authenticated": True,
            "uniqueID": "testuser-fra-4",
            "clearance": "SECRET",
            "countryOfAffiliation": "FRA",
            "acpCOI": ["NATO"],
            "issuer": tenant.issuer,
            "mfa_used": False,
            **subject,
        },
        "action": {"operation": "view"},
        "resource": {
            "resourceId": "doc-fra-000005",
            "classification": "SECRET",
            "originalClassification": "SECRET DÉFENSE",
            "originalCountry": "FRA",
            "releasabilityTo": ["FRA", "USA"],
            "COI": ["NATO"],
            "coiOperator": "ALL",
            "encrypted": True,
            "ztdf": {"policyHash": "a", "computedPolicyHash": "a"},
        },
        "context": {"tenant": tenant.country.code, "acr": "1"},
    }


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_both_decide_with_data_as_delivered(coalition: Coalition, names: Names) -> None:
    wait_for(lambda: coalition.check(names, question(names)) == "", within=20)
    answer = coalition.ask(names, question(names))
    assert answer["allow"] is True
    assert answer["obligations"] == [{"type": "release-key", "resourceId": "doc-fra-000005", "policyHash": "a"}]
    assert coalition.check(names, question(names, acpCOI=[])) == "coi"
    assert coalition.check(names, question(names, clearance="CONFIDENTIAL")) == "clearance"
    assert coalition.check(names, question(names, issuer="https://elsewhere")) == "federation"


def test_the_spoke_holds_each_feed_as_the_hub_serves_it(coalition: Coalition) -> None:
    wait_for(lambda: off(coalition, FRA) == [], within=20)
    data = json.loads(_served(coalition)["data.json"])["dive"]
    assert data.keys() == {*distribution.FEEDS}
    for feed, served in data.items():
        held = coalition.call(FRA, "opa", f"/v1/data/dive/{feed}", _secrets(FRA)["opa-read"]).json()["result"]
        assert served == held
        assert served["success"] is True
        assert served["count"] == len(served[feed]) == coalition.database[feed].count_documents({}) > 0


def _served(coalition: Coalition) -> dict[str, str]:
    """What the hub distributes, by path."""
    packed = coalition.call(USA, "backend", policy.BUNDLE, _token(FRA)).raise_for_status().content
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        return {m.name: file.read().decode() for m in tar if (file := tar.extractfile(m))}


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_a_changed_document_is_in_force_within_seconds(coalition: Coalition, names: Names) -> None:
    issuers = coalition.database["trusted_issuers"]
    wait_for(lambda: coalition.check(names, question(names)) == "", within=20)
    issuers.update_one({"_id": names.issuer}, {"$set": {"enabled": False}})
    try:
        away = wait_for(lambda: coalition.check(names, question(names)) == "federation", within=15)
    finally:
        issuers.update_one({"_id": names.issuer}, {"$set": {"enabled": True}})
    back = wait_for(lambda: coalition.check(names, question(names)) == "", within=15)
    print(f"\n{names.country.code}: refused after {away:.1f} s, permitted again after {back:.1f} s")


def test_a_restarted_opa_gets_everything_again(coalition: Coalition) -> None:
    container = coalition.labs["FRA"].engine.containers.get(FRA.container("opa"))
    container.restart(timeout=5)

    def restored() -> bool:
        try:
            return coalition.check(FRA, question(FRA)) == ""
        except httpx.TransportError:
            return False

    print(f"\nwhole again after {wait_for(restored, within=30):.1f} s")


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_opa_wants_its_token(coalition: Coalition, names: Names) -> None:
    refused = coalition.call(names, "opa", policy.DECISION, "wrong", method="POST", json={"input": {}})
    assert refused.status_code == 401
    assert "opa-token, opa-read" in refused.json()["message"]
    assert coalition.call(names, "opa", "/v1/policies", "wrong").status_code == 401
    assert coalition.call(names, "opa", "/health", "").status_code == 200


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_no_one_writes_to_an_opa(coalition: Coalition, names: Names) -> None:
    """Neither the policies and data of the hub, nor what the country decides by, nor anything beside them."""
    modules = coalition.call(names, "opa", "/v1/policies", _secrets(names)["opa-read"]).json()["result"]
    paths = [f"/v1/policies/{module['id'].replace('/', '%2F', 1)}" for module in modules]
    data = ("", "/dive", "/dive/trusted_issuers", "/national", "/system/bundles", "/system/authz", "/more")
    paths += ["/v1/policies/more.rego", *(f"/v1/data{path}" for path in data)]
    for token in (*(_secrets(names)[name] for name in policy.OPA_TOKENS), "wrong"):
        for path in paths:
            for method in ("PUT", "PATCH", "DELETE"):
                answer = coalition.call(names, "opa", path, token, method=method, json={})
                assert answer.status_code == 401, (method, path)
    assert off(coalition, names) == []


def test_who_asks_a_spokes_opa_neither_reads_nor_writes_it(coalition: Coalition) -> None:
    """A compromised backend or key access service; the check's token does not write either."""
    forged = "package dive.checks.clearance\n\npass := true\n"
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/v1/policies/checks/clearance.rego", {"content": forged}),
        ("DELETE", "/v1/policies/authz.rego", {}),
        ("PATCH", "/v1/data/dive", {"json": [{"op": "add", "path": "/more", "value": 1}]}),
        ("POST", "/v1/query", {"json": {"query": "true"}}),
        ("POST", "/v1/data/dive", {"json": {}}),
        ("GET", "/v1/policies", {}),
        ("GET", "/v1/data", {}),
    ]
    for secret, refused in (("opa-token", len(requests)), ("opa-read", 5)):
        token = _secrets(FRA)[secret]
        answers = [coalition.call(FRA, "opa", path, token, method=method, **more) for method, path, more in requests]
        assert [a.status_code for a in answers] == [401] * refused + [200] * (len(requests) - refused)


def _forged() -> str:
    return mint_opal_token(_key("forged"), "FRA")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "no bearer token"),
        ("nonsense", "Not enough segments"),
        (None, "Signature"),
        (mint_opal_token(_secrets(DEU)["policy-key"], "DEU"), "not of a member"),
        (mint_hub_token(_secrets(FRA)["policy-key"], "FRA"), 'missing the "exp" claim'),
    ],
)
def test_the_hub_refuses_a_wrong_token(coalition: Coalition, token: str | None, says: str) -> None:
    refused = coalition.call(USA, "backend", policy.BUNDLE, _forged() if token is None else token)
    assert refused.status_code == 401
    assert says in refused.json()["reason"]
    assert coalition.call(USA, "opal-server", "/policy", _forged() if token is None else token).status_code == 401


@pytest.mark.parametrize("path", ["/data/config", "/data/callback_report", "/token"])
def test_the_hubs_opal_server_reads_no_large_body(coalition: Coalition, path: str) -> None:
    """OPAL alone would read a body of any size before it looks at the token, and end for lack of memory."""
    refused = coalition.call(USA, "opal-server", path, "", method="POST", content=b"1" * (2**16 + 1))
    assert refused.status_code == 413, refused.text
    assert coalition.call(USA, "opal-server", path, "", method="POST", json={}).status_code in (401, 422)


def test_a_bundle_that_one_has_is_not_sent_again(coalition: Coalition) -> None:
    token = _token(FRA)
    first = coalition.call(USA, "backend", policy.BUNDLE, token)
    tag = first.headers["etag"]
    assert first.status_code == 200
    again = coalition.call(USA, "backend", policy.BUNDLE, token, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    for unsigned in ("policies/bundle.tar.gz", "data-sources", "trusted-issuers"):
        assert coalition.call(USA, "backend", f"/api/opal/{unsigned}", token).status_code == 404


def test_the_client_of_a_country_that_is_no_member_ends_at_once(coalition: Coalition) -> None:
    lab, says = coalition.labs["FRA"], "the hub refuses this country's token"
    attempt = Lab(lab.engine, DEU, replace(lab.material, secrets=_secrets(DEU)))
    try:
        began = time.monotonic()
        with pytest.raises(ContainerFailed, match=says):
            attempt.start(policy.opal_client(DEU, USA), within=30)
        assert time.monotonic() - began < 15
    finally:
        attempt.close()


_TRIGGERS = ("/policy-updater/trigger", "/data-updater/trigger")
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


def test_no_other_container_and_no_host_reaches_a_clients_triggers(coalition: Coalition) -> None:
    client, port = _opal_client(coalition), str(FRA.port("opal-client"))
    for path in _TRIGGERS:
        with pytest.raises(httpx.TransportError):
            coalition.call(FRA, "opal-client", path, _token(FRA), method="POST")
    neighbour = coalition.labs["USA"].engine.containers.get(USA.container("opal-server"))
    connect = ["python", "-I", "-S", "-c", _CONNECT]
    refused = neighbour.exec_run([*connect, FRA.host("opal-client"), port])
    assert (refused.exit_code, b"ConnectionRefusedError" in refused.output) == (1, True), refused.output
    assert client.exec_run([*connect, LOOPBACK, port]).exit_code == 0


def test_a_country_cannot_publish_to_another_with_any_token(coalition: Coalition) -> None:
    """It signs its token itself, and what it may do is not its own to say."""
    claims = jwt.decode(_token(FRA), options={"verify_signature": False})
    more = {"peer_type": "datasource", "permitted_topics": ["policy_data/deu", "policy:."]}
    bold = jwt.encode({**claims, **more}, _secrets(FRA)["policy-key"], algorithm="RS256")
    as_another = mint_opal_token(_secrets(FRA)["policy-key"], "USA")
    update = {"entries": [{"url": "", "data": {}, "topics": ["policy_data/deu"], "dst_path": "/dive"}], "reason": "x"}
    for token in (_token(FRA), bold, as_another):
        refused = coalition.call(USA, "opal-server", "/data/config", token, method="POST", json=update)
        assert refused.status_code == 401
    assert coalition.call(USA, "backend", policy.BUNDLE, as_another).status_code == 401
    assert coalition.call(USA, "opal-server", "/policy", _token(FRA)).status_code == 200


def test_no_secret_is_in_the_environment_or_the_logs(coalition: Coalition) -> None:
    for lab in coalition.labs.values():
        own = {secret for name, secret in lab.material.secrets.items() if "BEGIN" not in secret}
        for service in lab.seconds:
            container: Container = lab.engine.containers.get(lab.names.container(service))
            seen = json.dumps(container.attrs["Config"]) + container.logs().decode(errors="replace")
            assert not [secret for secret in own if secret in seen]


def test_a_changed_policy_is_in_force_within_seconds(coalition: Coalition) -> None:
    there, back = _change_a_policy(coalition)
    print(f"\nnew policy everywhere after {there:.1f} s, the old one after {back:.1f} s")


# The hub against a rule of France.

_PERMITS = """package dive.authz

allow := true

reason := "The hub says so"

obligations := []

evaluation_details := {"check": "", "checks": {}}
"""
# Packages of France's own, as the hub could distribute them in any spelling.
_FOREIGN = {
    "more.rego": "package national.checks.expelled\n\npass := true\n",
    "answer.rego": 'package national\n\nanswer := {"allow": true}\n',
    "spelt.rego": 'package # of France\n  national["ch\\u0065cks"].expelled\n\npass := true\n',
    "guard.rego": 'package system.authz\n\nallow := {"allowed": true}\n',
}


def test_a_hub_that_permits_everything_does_not_drop_a_denial_of_the_country(coalition: Coalition) -> None:
    lab = coalition.labs["USA"]
    image = lab.engine.containers.get(USA.container("backend")).attrs["Image"]
    spec = applications.backend(USA, USA)
    wait_for(lambda: coalition.check(FRA, question(FRA)) == "", within=30)
    assert coalition.check(FRA, question(FRA, uniqueID=EXPELLED)) == "national.expelled"
    assert coalition.check(USA, question(USA, uniqueID=EXPELLED)) == "", "a rule of France alone"
    assert coalition.check(FRA, question(FRA, uniqueID=EXPELLED, acpCOI=[])) == "coi"

    def hostile(material: Material) -> dict[str, str]:
        return {**spec.files(material), "/etc/dive/policies/authz.rego": _PERMITS}

    lab.write_files(replace(spec, files=hostile), image)
    try:
        wait_for(lambda: coalition.check(FRA, question(FRA, acpCOI=[])) == "", within=60)
        answer = coalition.ask(FRA, question(FRA, uniqueID=EXPELLED))
        assert answer["allow"] is False
        assert answer["reason"] == "France does not serve this person"
        assert answer["evaluation_details"]["check"] == "national.expelled"
    finally:
        lab.write_files(spec, image)
    wait_for(lambda: coalition.check(FRA, question(FRA, acpCOI=[])) == "coi", within=60)


def test_a_hub_that_distributes_packages_of_the_country_changes_none_of_them(coalition: Coalition) -> None:
    lab = coalition.labs["USA"]
    image = lab.engine.containers.get(USA.container("backend")).attrs["Image"]
    spec = applications.backend(USA, USA)
    wait_for(lambda: off(coalition, FRA) == [], within=30)

    def hostile(material: Material) -> dict[str, str]:
        foreign = {f"/etc/dive/policies/{path}": text for path, text in _FOREIGN.items()}
        return {**spec.files(material), **foreign}

    lab.write_files(replace(spec, files=hostile), image)
    try:
        opa = lab.engine.containers.get(FRA.container("opa"))
        wait_for(lambda: b"do not permit" in opa.logs(tail=500), within=60)
        found = dict(off(coalition, FRA))["OPA's policies"]
        assert all(f"{path} missing" in found for path in sorted(_FOREIGN)[:3]), "OPA refuses all of it"
        assert coalition.check(FRA, question(FRA, uniqueID=EXPELLED)) == "national.expelled"
        assert coalition.call(FRA, "opa", "/v1/policies", "wrong").status_code == 401
    finally:
        removed = f"import os; [os.remove(f'{FILES}/policies/{{path}}') for path in {sorted(_FOREIGN)}]"
        mount = Mount(FILES, USA.files_volume("backend"))
        lab.engine.containers.run(
            image, ["-c", removed], entrypoint=["python"], user="0:0", mounts=[mount], remove=True
        )
    wait_for(lambda: off(coalition, FRA) == [], within=60)


def test_an_opa_with_a_rule_that_does_not_compile_does_not_start_and_says_why(coalition: Coalition) -> None:
    lab = coalition.labs["FRA"]
    attempt = Lab(lab.engine, DEU, replace(lab.material, secrets=_secrets(DEU)))
    try:
        with pytest.raises(ContainerFailed, match=r"night\.rego:3"):
            attempt.start(policy.opa(DEU, USA, {"night": "package national.checks.night\n\npass if {"}), within=30)
    finally:
        attempt.close()


def _change_a_policy(
    coalition: Coalition, within: float = 30, meanwhile: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    """Return the seconds after which a new policy decides everywhere, and after which the old one does again."""
    lab = coalition.labs["USA"]
    image = lab.engine.containers.get(USA.container("backend")).attrs["Image"]
    spec = applications.backend(USA, USA)

    def edited(material: Material) -> dict[str, str]:
        return {path: text.replace("Not a member", "Not one") for path, text in spec.files(material).items()}

    def reasons() -> list[str]:
        return [str(coalition.ask(names, question(names, acpCOI=[]))["reason"])[:7] for names in (USA, FRA)]

    wait_for(lambda: reasons() == ["Not a m", "Not a m"], within=20)
    lab.write_files(replace(spec, files=edited), image)
    there = wait_for(lambda: reasons() == ["Not one", "Not one"], within=within)
    meanwhile()
    lab.write_files(spec, image)
    back = wait_for(lambda: reasons() == ["Not a m", "Not a m"], within=within)
    return there, back


# What is in force is what is distributed.


def off(coalition: Coalition, names: Names) -> list[tuple[str, str]]:
    """(what, how it differs) of all that OPA decides by and the hub does not distribute."""
    return [(f.subject, f.found) for f in distributed(coalition, names) if f.verdict != "valid"]


def distributed(coalition: Coalition, names: Names) -> list[Finding]:
    material = coalition.labs[names.country.code].material
    tokens = {name: material.secrets[name] for name in policy.OPA_TOKENS}
    local = policy.local_modules(tokens, RULES if names is FRA else {})
    return policy_engine.distribution(names, USA, material.secrets["opa-read"], local, material.ca)


@pytest.mark.parametrize("names", [USA, FRA], ids=["hub", "spoke"])
def test_what_is_distributed_is_in_force(coalition: Coalition, names: Names) -> None:
    wait_for(lambda: off(coalition, names) == [], within=30)
    began = time.monotonic()
    assert off(coalition, names) == []
    print(f"\n{names.country.code}: compared in {time.monotonic() - began:.2f} s")


_SAMPLE = 10  # of each kind


def test_every_policy_and_every_value_of_data_that_differs_is_red(
    coalition: Coalition,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No one can change what OPA holds, so what the hub answers is: a sample by the day; all of it with `--whole`."""
    whole = bool(pytestconfig.getoption("whole"))
    wait_for(lambda: off(coalition, FRA) == [], within=30)
    everything = list(opa_mutations.mutations(_served(coalition)))
    seed = date.today().toordinal()
    kinds = {m.kind: [n for n in everything if n.kind == m.kind] for m in everything}
    chosen = everything if whole else [m for n in kinds.values() for m in random.Random(seed).sample(n, _SAMPLE)]
    seen, unseen = Counter[str](), []
    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(policy_engine, "_FOLLOWS", 0)
        for mutation in chosen:
            patch.setattr(policy_engine, "_distributed", lambda *_, m=mutation: policy_engine._content(m.files))
            if any(s == mutation.subject and mutation.told in f for s, f in off(coalition, FRA)):
                seen[mutation.kind] += 1
            else:
                unseen.append(mutation.name)
    took = time.monotonic() - began
    with capsys.disabled():
        total = seen.total() + len(unseen)
        print(f"\nOPA: {seen.total()} of {total} changes seen, of {len(everything)}; {took:.0f} s")
        print(f"seed {seed}; {dict(seen)}")
    assert unseen == []
    assert off(coalition, FRA) == []


def test_the_command_of_a_finding_has_everything_loaded_again(coalition: Coalition) -> None:
    """A restart of OPA and its client; both verify what they take."""
    began = time.monotonic()
    _restart(coalition, *policy.deciders(is_hub=False))

    def restored() -> bool:
        try:
            return off(coalition, FRA) == []
        except CheckFailed:
            return False

    wait_for(restored, within=60)
    print(f"\nrestored after {time.monotonic() - began:.1f} s")
    assert coalition.check(FRA, question(FRA, clearance="CONFIDENTIAL")) == "clearance"


# What the hub did not sign, and what it signed before.


def test_a_hub_whose_api_has_another_key_changes_nothing_at_a_spoke(coalition: Coalition) -> None:
    """Whoever answers in the hub's place, with its certificate, and permits everything."""
    wait_for(lambda: off(coalition, FRA) == [] and _has_copy(coalition), within=30)
    lab = coalition.labs["USA"]
    backend = lab.engine.containers.get(USA.container("backend"))
    image, spec = backend.attrs["Image"], applications.backend(USA, USA)

    def hostile(material: Material) -> dict[str, str]:
        forged = {policy.POLICY_KEY: _key("forged"), f"{FILES}/policies/authz.rego": _PERMITS}
        return {**spec.files(material), **forged}

    def restart() -> None:
        backend.restart(timeout=5)
        await_healthy(lab.engine, str(backend.name), 120)

    before = _copy(coalition)["files"]
    lab.write_files(replace(spec, files=hostile), image)
    restart()
    try:
        client = _opal_client(coalition)
        wait_for(lambda: b"nothing is taken from the hub: no signature of the hub" in client.logs(tail=200), within=40)
        for names in (USA, FRA):
            found = {f.subject: f for f in distributed(coalition, names)}["OPA's policies"]
            assert (found.verdict, found.code.name) == ("invalid", "POLICY_DISTRIBUTION")
            assert "no signature of the hub" in found.found
            assert coalition.check(names, question(names, acpCOI=[])) == "coi", "it decides by what it had"
        _restart(coalition, "opa", "opal-client")
        wait_for(lambda: _decides(coalition), within=60)
        assert coalition.check(FRA, question(FRA, acpCOI=[])) == "coi"
        assert _copy(coalition)["files"] == before
    finally:
        lab.write_files(spec, image)
        restart()
    wait_for(lambda: off(coalition, FRA) == [] and off(coalition, USA) == [], within=60)


def test_what_the_hub_signed_before_does_not_replace_what_a_spoke_has(coalition: Coalition) -> None:
    """The spoke has what the hub signed in an hour; seen from there, what the hub answers is an older bundle."""
    wait_for(lambda: off(coalition, FRA) == [] and _has_copy(coalition), within=30)
    kept = _copy(coalition)
    later = {path: text.replace("Not a member", "Not one") for path, text in kept["files"].items()}
    content = {path: text.encode() for path, text in later.items() if path != SIGNATURES}
    signed = distribution.signature(content, _secrets(USA)["policy-key"], int(time.time()) + 3600)
    client = _opal_client(coalition)

    def reason() -> str:
        return str(coalition.ask(FRA, question(FRA, acpCOI=[])).get("reason"))[:7]

    def keep(copy: Mapping[str, Any]) -> None:
        client.stop(timeout=5)  # else it notes a confirmation of its own
        _write_copy(coalition, copy)
        client.start()

    keep({**kept, "files": {**later, SIGNATURES: signed.decode()}, "tag": "later"})
    try:
        wait_for(lambda: b"older than what this country has" in client.logs(tail=200), within=60)
        wait_for(lambda: reason() == "Not one", within=20)
        found = {f.subject: f for f in distributed(coalition, FRA)}
        assert found["OPA's policies"].verdict == "invalid"
        assert "older than what this country has" in found["OPA's policies"].found
        assert found["OPA's data"].verdict == "valid", "compared with the copy"
        assert _copy(coalition)["tag"] == "later"
    finally:
        keep(kept)
    wait_for(lambda: reason() == "Not a m" and off(coalition, FRA) == [], within=60)


def test_without_the_opal_server_a_new_policy_arrives_all_the_same(coalition: Coalition) -> None:
    """It announces, and nothing that it says is taken."""
    engine_ = coalition.labs["USA"].engine
    server = engine_.containers.get(USA.container("opal-server"))
    server.stop(timeout=5)
    try:
        there, _ = _change_a_policy(coalition, within=40)
        print(f"\nwithout announcement after {there:.1f} s")
    finally:
        server.start()
        await_healthy(engine_, str(server.name), 120)


# The hub is away.


@pytest.fixture
def hub_away(coalition: Coalition) -> Iterator[Coalition]:
    """The hub's API and OPAL server are stopped after France kept what the hub signed; they start again at the end."""
    wait_for(lambda: off(coalition, FRA) == [] and _has_copy(coalition), within=30)
    engine_ = coalition.labs["USA"].engine
    gone = [engine_.containers.get(USA.container(service)) for service in ("opal-server", "backend")]
    for container in gone:
        container.stop(timeout=5)
    try:
        yield coalition
    finally:
        for container in reversed(gone):
            container.start()
            await_healthy(engine_, str(container.name), 120)


def _opal_client(coalition: Coalition) -> Container:
    found: Container = coalition.labs["FRA"].engine.containers.get(FRA.container("opal-client"))
    return found


def _copy(coalition: Coalition) -> dict[str, Any]:
    """The copy at France's OPAL client, as the check reads it."""
    kept: dict[str, Any] = json.loads(files.text(_opal_client(coalition), policy.COPY))
    return kept


def _has_copy(coalition: Coalition) -> bool:
    try:
        return bool(_copy(coalition)["files"])
    except NotFound:
        return False


def _restart(coalition: Coalition, *services: str) -> None:
    for service in services:
        coalition.labs["FRA"].engine.containers.get(FRA.container(service)).restart(timeout=5)


def _decides(coalition: Coalition) -> bool:
    try:
        return coalition.check(FRA, question(FRA)) == ""
    except httpx.TransportError:
        return False


def _write_copy(coalition: Coalition, kept: Mapping[str, Any]) -> None:
    """Overwrite the copy as someone with access to the volume could."""
    folder, _, name = policy.COPY.rpartition("/")
    content, packed = json.dumps(kept).encode(), BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o644, policy.UID, policy.UID
        tar.addfile(entry, BytesIO(content))
    assert _opal_client(coalition).put_archive(folder, packed.getvalue())


def test_without_the_hub_a_restarted_opa_decides_by_what_the_hub_signed_last(hub_away: Coalition) -> None:
    """OPA alone, and then together with its OPAL client; the check names the age."""
    for services, within in ((("opa",), 20), (("opa", "opal-client"), 60)):
        _restart(hub_away, *services)
        print(f"\n{services}: decides again after {wait_for(lambda: _decides(hub_away), within=within):.1f} s")
        assert hub_away.check(FRA, question(FRA, clearance="CONFIDENTIAL")) == "clearance"
        found = distributed(hub_away, FRA)
        assert [f.verdict for f in found] == ["valid", "valid"], found
        assert all("signed by the hub " in f.note and "the hub does not answer" in f.note for f in found)


@pytest.fixture
def cut_off(coalition: Coalition) -> Iterator[Coalition]:
    """The hub refuses France, after France kept what it signed; France is a member again at the end."""
    wait_for(lambda: off(coalition, FRA) == [] and _has_copy(coalition), within=30)
    lab = coalition.labs["USA"]
    before = lab.material

    def admit(members: Mapping[str, str]) -> None:
        lab.material = replace(before, policy_keys=members)
        for spec in (policy.opal_server(USA, USA), applications.backend(USA, USA)):
            lab.write_files(spec, resolve(lab.engine, spec.name, spec.image).id)

    def answer() -> int:
        return int(coalition.call(USA, "backend", "/api/opal/bundle.tar.gz", _token(FRA)).status_code)

    admit({code: key for code, key in before.policy_keys.items() if code != "FRA"})
    try:
        wait_for(lambda: answer() == 401, within=15)
        yield coalition
    finally:
        admit(before.policy_keys)
        wait_for(lambda: answer() == 200, within=15)


def test_a_country_that_its_hub_has_cut_off_still_decides_after_a_restart(cut_off: Coalition) -> None:
    _restart(cut_off, "opa", "opal-client")
    wait_for(lambda: _decides(cut_off), within=60)
    assert cut_off.check(FRA, question(FRA, clearance="CONFIDENTIAL")) == "clearance"
    found = distributed(cut_off, FRA)
    assert [f.verdict for f in found] == ["valid", "valid"], found
    assert all("signed by the hub " in f.note and "the hub refuses this country" in f.note for f in found)


def test_the_hubs_api_alone_away_opa_gets_the_data_too(coalition: Coalition) -> None:
    """OPAL's server then still has the policies, and no one the data."""
    wait_for(lambda: off(coalition, FRA) == [] and _has_copy(coalition), within=30)
    engine_ = coalition.labs["USA"].engine
    backend = engine_.containers.get(USA.container("backend"))
    backend.stop(timeout=5)
    try:
        _restart(coalition, "opa")
        print(f"\ndecides again after {wait_for(lambda: _decides(coalition), within=20):.1f} s")
    finally:
        backend.start()
        await_healthy(engine_, str(backend.name), 120)


def test_an_altered_copy_is_not_loaded(hub_away: Coalition) -> None:
    kept = _copy(hub_away)
    permits = {**kept["files"], "authz.rego": "package dive.authz\n\nallow := true\n"}
    _write_copy(hub_away, {**kept, "files": permits})
    _restart(hub_away, "opal-client", "opa")  # else OPA asks the client that still has it
    client = _opal_client(hub_away)
    wait_for(lambda: b"not what the hub signed: authz.rego" in client.logs(tail=200), within=60)
    assert hub_away.ask(FRA, question(FRA)) == {}, "no policy is loaded"
    assert dict(off(hub_away, FRA))["OPA's data"].endswith("not what the hub signed: authz.rego")
    _write_copy(hub_away, kept)
    _restart(hub_away, "opal-client")
    wait_for(lambda: _decides(hub_away), within=60)


def test_after_the_hub_is_back_a_new_policy_is_in_force_as_before(coalition: Coalition) -> None:
    wait_for(lambda: off(coalition, FRA) == [], within=60)
    found = distributed(coalition, FRA)
    assert [f.note for f in found] == ["", ""], "the hub answers"
    began = int(time.time())
    key = POLICY_KEYS["USA"]

    def kept() -> bool:
        files = _copy(coalition)["files"]
        return signed_at(files, key) >= began and any("Not one" in text for text in files.values())

    # OPAL's connection may still be away: the client asks the hub every 15 seconds.
    _change_a_policy(coalition, within=60, meanwhile=lambda: wait_for(kept, within=30))
