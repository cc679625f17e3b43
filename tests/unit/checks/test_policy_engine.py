"""What OPA decides by, with the hub and OPA replaced."""

import json
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import httpx
import jwt
import pytest

from dive_backend import distribution
from dive_infra.catalog import policy
from dive_infra.catalog.opal.signature import SIGNATURES
from dive_infra.checks import connectivity, objects, policy_engine
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.engines.engine import ContainerFailed
from dive_infra.identity import https, opal_token
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding
from tests.unit.checks.specs import DEPLOYMENT, FRANCE, USA

TOKEN = "opa-read"
BUNDLE = "/etc/dive/local/"  # its name, which OPA puts before the paths of its modules
RULE = "etc/dive/local/checks/night.rego"
LOCAL = policy.local_modules({"opa-token": "1", "opa-read": TOKEN}, {"night": "package national.checks.night"})
FEED = {"success": True, "coi": [1], "count": 1}
KEY, OWN = pki.rsa_key(), pki.rsa_key()
POLICIES = {"authz.rego": "package dive.authz", "checks/mfa.rego": "package dive.checks.mfa"}


def bundle(files: Mapping[str, str]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            tar.addfile(entry, BytesIO(text.encode()))
    return buffer.getvalue()


def signed(at: int, key: str = KEY) -> dict[str, str]:
    """What the hub distributes, signed at this time."""
    files = {**POLICIES, "data.json": json.dumps({"dive": {"coi": FEED}})}
    made = distribution.signature({path: text.encode() for path, text in files.items()}, key, at)
    return {**files, SIGNATURES: made.decode()}


class World:
    """An OPA with `policies` and `data`, and the hub with what it distributes; `hub` is the status of its answer or 0.

    `copy` is what the OPAL client keeps, if it does. `conflict`: the policies contradict
    each other, so OPA answers no data.
    """

    def __init__(self, names: Names) -> None:
        self.names, self.hub, self.conflict = names, 200, False
        self.copy: dict[str, Any] = {}
        self.distributed = signed(int(time.time()))
        self.policies = {**POLICIES, **{f"{BUNDLE}{path}": text for path, text in LOCAL.items()}}
        rules = {"authz": {"allow": False}, "checks": {"mfa": {"pass": True}}}
        self.data: dict[str, Any] = {"dive": {"coi": FEED, **rules}, "national": {"answer": 1, "checks": {"night": {}}}}

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == policy.BUNDLE:
            if not self.hub:
                raise httpx.ConnectError("refused")
            token = request.headers["authorization"].removeprefix("Bearer ")
            claims = jwt.decode(token, pki.public_key(OWN), ["RS256"], audience=opal_token.OPAL_AUDIENCE)
            assert claims["country"] == self.names.country.code
            if self.hub != 200:
                return httpx.Response(self.hub)
            return httpx.Response(200, content=bundle(self.distributed))
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        if request.url.path == "/v1/policies":
            return httpx.Response(200, json={"result": [_module(*one) for one in self.policies.items()]})
        if self.conflict:
            return httpx.Response(500, json={"code": "internal_error"})
        return httpx.Response(200, json={"result": self.data})

    def keep(self, key: str = KEY) -> None:
        """The OPAL client has a copy of what the hub signed now and confirmed 14 minutes ago."""
        self.copy = {"files": signed(int(time.time()), key), "tag": "t", "confirmed": time.time() - 14 * 60}

    def read_file(self, name: str, path: str) -> str:
        held = {
            (FRANCE.container("opal-client"), policy.HUB_KEY): pki.public_key(KEY),
            (FRANCE.container("opal-client"), policy.POLICY_KEY): OWN,
            (USA.container("opa"), policy.HUB_TOKEN): opal_token.mint_hub_token(OWN, "USA"),
            (USA.container("opa"), policy.OPA_CONFIG): json.dumps({"keys": {"hub": {"key": pki.public_key(KEY)}}}),
        }
        if self.copy:
            held[FRANCE.container("opal-client"), policy.COPY] = json.dumps(self.copy)
        if (name, path) not in held:
            raise ContainerFailed(f"{name} does not exist or has no {path}")
        return held[name, path]

    def found(self) -> list[Finding]:
        return policy_engine.distribution(self.names, USA, TOKEN, LOCAL, "CA")

    def off(self) -> dict[str, Finding]:
        return {f.check: f for f in self.found() if f.verdict != "valid"}


def _module(path: str, text: str) -> dict[str, Any]:
    [first] = [line for line in text.split("\n") if line.startswith("package ")]
    package = first.removeprefix("package ").split(".")
    defined = "pass" if "checks" in package else "answer" if "national" in package else "allow"
    terms = [{"value": "data"}, *({"value": part} for part in package)]
    name = path if path.lstrip("/").startswith("etc/") else f"dive/{path}"  # as the hub's bundle names it
    return {"id": name, "raw": text, "ast": {"package": {"path": terms}, "rules": [{"head": {"name": defined}}]}}


def _world(names: Names, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(names)
    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=httpx.MockTransport(made.answer)))
    monkeypatch.setattr(objects, "connect", lambda: made)
    monkeypatch.setattr(policy_engine, "_FOLLOWS", 0)
    return made


@pytest.fixture(params=[FRANCE, USA], ids=["spoke", "hub"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    return _world(request.param, monkeypatch)


def test_what_the_hub_distributes_is_valid(world: World) -> None:
    assert world.off() == {}


CHANGES: list[tuple[Callable[[World], Any], str, str]] = [
    (
        lambda w: w.policies.update({"authz.rego": "package dive.authz\n\nallow := true"}),
        "POLICIES",
        "authz.rego changed",
    ),
    (
        lambda w: (w.policies.pop("checks/mfa.rego"), w.data["dive"].pop("checks")),
        "POLICIES",
        "checks/mfa.rego missing",
    ),
    (lambda w: w.policies.update({"x.rego": "package x"}), "POLICIES", "x.rego added"),
    (lambda w: (w.policies.update({"x.rego": "package x"}), w.data.update(x={})), "POLICIES", "x.rego added"),
    (
        lambda w: w.policies.update({f"{BUNDLE}etc/dive/local/access.rego": "package x"}),
        "POLICIES",
        "etc/dive/local/access.rego changed",
    ),
    (
        lambda w: w.policies.update({f"{BUNDLE}{RULE}": "package national.checks.night\n"}),
        "POLICIES",
        f"{RULE} changed",
    ),
    (lambda w: (w.policies.pop(f"{BUNDLE}{RULE}"), w.data["national"].pop("checks")), "POLICIES", f"{RULE} missing"),
    (
        lambda w: w.policies.update({f"{BUNDLE}{RULE}".lstrip("/"): "package dive.more"}),
        "POLICIES",
        f"{BUNDLE}{RULE} added".lstrip("/"),
    ),
    (
        lambda w: w.policies.update({"more.rego": "package national.checks.more"}),
        "POLICIES",
        "more.rego added",
    ),
    (lambda w: w.data["dive"].update(coi={**FEED, "coi": []}), "DATA", "dive/coi changed"),
    (lambda w: w.data["dive"].pop("coi"), "DATA", "dive/coi missing"),
    (lambda w: w.data["dive"].update(more=1), "DATA", "dive/more added"),
    (lambda w: w.data["dive"]["authz"].update(bypass=1), "DATA", "dive/authz/bypass added"),
    (lambda w: w.data.update(other={"a": 1}), "DATA", "other added"),
]


@pytest.mark.parametrize(("change", "check", "found"), CHANGES, ids=[found for _, _, found in CHANGES])
def test_each_difference_is_named_with_the_command_that_removes_it(
    world: World, change: Callable[[World], Any], check: str, found: str
) -> None:
    change(world)
    [(where, finding)] = world.off().items()
    assert (where, finding.verdict, finding.found) == (getattr(policy_engine, check), "invalid", found)
    services = "opa opal-client" if world.names is FRANCE else "opa"
    assert str(finding.remedy) == f"./dive restart {world.names.country.code} {services}"


def test_values_of_rules_are_no_data(world: World) -> None:
    world.data["dive"]["authz"]["allow"] = True
    world.data["dive"]["checks"]["mfa"]["pass"] = {"more": "values"}
    assert world.off() == {}


def test_without_the_hub_policies_are_compared_with_this_checkout_and_data_is_unknown(world: World) -> None:
    world.hub = 0
    off = world.off()
    assert off[policy_engine.POLICIES].verdict == "invalid"  # these two are not this checkout's
    assert off[policy_engine.DATA].verdict == "unknown"
    assert str(off[policy_engine.POLICIES].remedy) == "pulumi up -s usa (the hub distributes again)"
    world.policies |= policy.policies()
    assert set(world.off()) == {policy_engine.DATA}


def test_a_spoke_without_its_opal_client_has_to_update_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, _: str) -> str:
        raise ContainerFailed(f"{name} does not exist")

    monkeypatch.setattr(world, "read_file", missing)
    assert {str(finding.remedy) for finding in world.off().values()} == {"pulumi up"}


APPROVE = (
    "the operator of the hub adds FRA to dive:spokes, then: pulumi up -s usa, or "
    "if the hub has cut it off, its operator runs ./dive cut FRA --at USA --undo"
)
WAITS = "FRA permits nothing until it has policies of the hub: the hub"


@pytest.mark.parametrize("hub", [401, 403])
def test_a_hub_that_refuses_a_country_without_a_copy_has_to_be_asked_for_it(
    hub: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    france = _world(FRANCE, monkeypatch)
    france.hub = hub
    off = france.off()
    assert off.keys() == {policy_engine.POLICIES, policy_engine.DATA}
    assert {str(finding.remedy) for finding in off.values()} == {APPROVE}
    assert all(finding.code != Code.LINK_PENDING for finding in off.values()), "OPA has policies"


@pytest.mark.parametrize(
    ("hub", "says", "code", "remedy"),
    [
        (0, "does not answer (", Code.LINK_PENDING, "pulumi up (completes it once USA is deployed and answers)"),
        (503, "does not answer (", Code.LINK_PENDING, "pulumi up (completes it once USA is deployed and answers)"),
        (401, "refuses this country (", Code.NOT_APPROVED, APPROVE),
    ],
    ids=["away", "down", "refused"],
)
def test_a_country_that_has_nothing_of_its_hub_yet_is_pending(
    hub: int, says: str, code: Code, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    france = _world(FRANCE, monkeypatch)
    france.hub, france.data = hub, {"national": {}}
    france.policies = {name: text for name, text in france.policies.items() if name.startswith(BUNDLE)}
    found = france.found()
    assert [f.check for f in found] == [policy_engine.POLICIES, policy_engine.DATA]
    for finding in found:
        assert (finding.verdict, finding.advisory, finding.code) == ("unknown", True, code)
        assert finding.found.startswith(f"pending: {WAITS} {says}https://api.usa.t-unit.localhost")
        assert str(finding.remedy) == remedy
    spec = replace(DEPLOYMENT, opa=TOKEN)
    pending = policy_engine.awaited(spec)
    assert pending
    assert found[0].found == f"pending: {pending.cause}"
    france.keep()
    assert policy_engine.awaited(spec) is None
    assert {f.verdict for f in france.found()} == {"invalid"}, "it has a copy, which OPA lacks"


CUT = "no packet of the containers of FRA reaches 192.0.2.1:4000"


def test_a_hub_that_answers_here_and_is_out_of_reach_of_the_containers_counts_as_one_that_does_not_answer(
    france: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connectivity, "cut_off", lambda *_: CUT)
    france.hub, distributed = 200, POLICIES["authz.rego"]
    assert [(f.verdict, f.note) for f in france.found()] == [("valid", "")] * 2, "nothing has changed since"
    monkeypatch.setitem(POLICIES, "authz.rego", "package dive.authz.newer")
    france.distributed = signed(int(time.time()))
    found = france.found()
    assert {(f.verdict, f.note) for f in found} == {
        ("valid", f"policies {AGE}; the containers of this country do not reach the hub")
    }
    assert france.policies["authz.rego"] == distributed
    monkeypatch.setattr(connectivity, "cut_off", lambda *_: "")
    assert [f.verdict for f in france.found()] == ["invalid", "valid"], "within reach, it has been told"


def test_a_country_whose_containers_have_never_reached_the_hub_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "cut_off", lambda *_: CUT)
    france = _world(FRANCE, monkeypatch)
    assert {f.verdict for f in france.found()} == {"valid"}
    france.policies, france.data = {}, {}
    pending = policy_engine.awaited(replace(DEPLOYMENT, opa=TOKEN))
    assert pending
    assert pending.cause.endswith(f"{policy.BUNDLE}: {CUT})")
    assert str(pending.remedy) == "let them reach it (route, firewall, dive:address of the hub), then: pulumi up"
    assert {(f.found, f.code) for f in france.found()} == {(f"pending: {pending.cause}", Code.LINK_PENDING)}


@pytest.mark.parametrize("names", [FRANCE, USA], ids=["spoke", "hub"])
def test_a_country_that_has_policies_or_whose_opa_does_not_answer_waits_for_no_one(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    country = _world(names, monkeypatch)
    spec = replace(DEPLOYMENT, names=names, opa=TOKEN)
    assert policy_engine.awaited(spec) is None
    country.hub = 0
    assert policy_engine.awaited(spec) is None
    country.policies = {}
    assert (policy_engine.awaited(spec) is None) == (names is USA), "the hub makes its own"
    monkeypatch.setattr(country, "answer", lambda _: httpx.Response(500))
    assert policy_engine.awaited(spec) is None


def test_an_earlier_program_declared_no_local_modules(world: World) -> None:
    assert [f.verdict for f in policy_engine.distribution(world.names, USA, TOKEN, {}, "CA")] == ["valid", "valid"]


AGE = "signed by the hub 2026-11-24 12:00:00 UTC, confirmed 14 min ago"
NOON = 1_795_521_600


@pytest.fixture
def france(monkeypatch: pytest.MonkeyPatch) -> World:
    """France with a copy of what the hub signed, while the hub does not answer."""
    made = _world(FRANCE, monkeypatch)
    made.hub = 0
    made.copy = {"files": signed(NOON), "tag": "t", "confirmed": time.time() - 14 * 60}
    return made


@pytest.mark.parametrize(
    ("hub", "why"),
    [
        (0, "the hub does not answer"),
        (503, "the hub does not answer"),
        (401, "the hub refuses this country"),
        (403, "the hub refuses this country"),
    ],
    ids=["refused", "unavailable", "cut off", "forbidden"],
)
def test_without_the_hub_what_it_signed_last_is_valid_and_shows_its_age(france: World, hub: int, why: str) -> None:
    """A country that its hub has cut off goes on, too."""
    france.hub, age = hub, f"{AGE}; {why}"
    assert [(f.verdict, f.found, f.note) for f in france.found()] == [
        ("valid", f"2 policies as distributed: {age}", f"policies {age}"),
        ("valid", f"1 feeds as distributed: {age}", f"policies {age}"),
    ]


def test_while_the_hub_answers_no_age_is_shown(france: World) -> None:
    france.hub = 200
    assert [(f.verdict, f.note) for f in france.found()] == [("valid", ""), ("valid", "")]


@pytest.mark.parametrize(("change", "check", "found"), CHANGES, ids=[found for _, _, found in CHANGES])
def test_without_the_hub_each_difference_from_what_it_signed_last_is_named(
    france: World, change: Callable[[World], Any], check: str, found: str
) -> None:
    change(france)
    [(where, finding)] = france.off().items()
    assert (where, finding.verdict, finding.found) == (getattr(policy_engine, check), "invalid", found)
    assert str(finding.remedy) == "./dive restart FRA opa opal-client"
    assert "the hub of 2026-11-24 12:00:00 UTC" in finding.expected


ALTERED: dict[str, Callable[[World], Any]] = {
    "not what the hub signed: authz.rego": lambda w: w.copy["files"].update({"authz.rego": "package dive.more"}),
    "not what the hub signed: data.json": lambda w: w.copy["files"].update({"data.json": "{}"}),
    "no signature of the hub": lambda w: w.keep(pki.rsa_key()),
    "KeyError: 'confirmed'": lambda w: w.copy.pop("confirmed"),
    "no files by name": lambda w: w.copy.update(files=[]),
}


@pytest.mark.parametrize("found", ALTERED)
def test_a_copy_that_the_hub_did_not_sign_is_not_used(france: World, found: str) -> None:
    ALTERED[found](france)
    off = france.off()
    assert off[policy_engine.POLICIES].expected.endswith("policies of this checkout, unchanged")
    assert off[policy_engine.DATA].verdict == "unknown"
    assert f"the copy at this country is not used: {found}" in off[policy_engine.DATA].found.replace(
        f"{policy.COPY}: ", ""
    )


REFUSED: dict[str, Callable[[World], Any]] = {
    "not what the hub signed: authz.rego": lambda w: w.distributed.update({"authz.rego": "package dive.more"}),
    "no signature of the hub": lambda w: setattr(w, "distributed", signed(int(time.time()), pki.rsa_key())),
    "signed by the hub 2026-11-24 11:59:59 UTC, older than what this country has, of 2026-11-24 12:00:00 UTC": (
        lambda w: setattr(w, "distributed", signed(NOON - 1))
    ),
}


@pytest.mark.parametrize("found", REFUSED)
def test_what_the_hub_did_not_sign_or_signed_before_is_red_and_the_copy_counts(france: World, found: str) -> None:
    france.hub = 200
    REFUSED[found](france)
    policies, data = france.found()
    assert (policies.verdict, policies.code, data.verdict) == ("invalid", Code.POLICY_DISTRIBUTION, "valid")
    assert policies.found.startswith(f"{USA.url('backend')}{policy.BUNDLE}: {found}")
    assert "ask its operator" in str(policies.remedy)
    assert data.found.endswith("what the hub answers now does not count")
    france.policies["x.rego"] = "package x"
    assert france.found()[0].found.endswith("x.rego added"), "OPA is compared all the same"


@pytest.mark.parametrize("found", list(REFUSED)[:2])
def test_without_a_copy_what_the_hub_did_not_sign_is_red(world: World, found: str) -> None:
    REFUSED[found](world)
    policies, data = world.found()
    assert (policies.verdict, data.verdict) == ("invalid", "unknown")
    assert found in policies.found
    assert found in data.found


def test_an_answer_that_is_no_bundle_is_red(france: World, monkeypatch: pytest.MonkeyPatch) -> None:
    france.hub = 200
    for content in (b"", b"nonsense", bundle(france.distributed)[:-40]):
        monkeypatch.setattr(f"{__name__}.bundle", lambda _, content=content: content)
        assert [f.verdict for f in france.found()] == ["invalid", "valid"]


def test_the_hub_itself_has_no_copy(france: World) -> None:
    france.names = USA
    assert set(france.off()) == {policy_engine.POLICIES, policy_engine.DATA}


def test_policies_that_keep_opa_from_answering_its_data_are_red_nevertheless(world: World) -> None:
    world.policies["authz.rego"] = "package dive.authz\n\nallow := true\n\nallow := false"
    world.conflict = True
    off = world.off()
    assert (off[policy_engine.POLICIES].verdict, off[policy_engine.POLICIES].found) == ("invalid", "authz.rego changed")
    assert (off[policy_engine.DATA].verdict, off[policy_engine.DATA].remedy) == (
        "unknown",
        policy_engine.restart(world.names),
    )


def test_a_difference_that_ends_within_a_poll_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_engine, "_FOLLOWS", 5)
    world.data["dive"].pop("coi")
    waits: list[float] = []

    def arrived(seconds: float) -> None:
        waits.append(seconds)
        world.data["dive"]["coi"] = FEED

    monkeypatch.setattr(policy_engine.time, "sleep", arrived)
    assert world.off() == {}
    assert len(waits) == 1
