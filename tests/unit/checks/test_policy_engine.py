"""What OPA decides by, with the hub and OPA replaced."""

import json
import tarfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import httpx
import pytest

from dive_infra.catalog import policy
from dive_infra.checks import objects, policy_engine
from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.results.finding import Finding
from tests.unit.checks.specs import FRANCE, USA

TOKEN = "opa-token"
FEED = {"success": True, "coi": [1], "count": 1}
POLICIES = {"authz.rego": "package dive.authz", "checks/mfa.rego": "package dive.checks.mfa"}


def bundle(files: Mapping[str, str]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            tar.addfile(entry, BytesIO(text.encode()))
    return buffer.getvalue()


class World:
    """An OPA with `policies` and `data`, and the hub with what it distributes; `hub` False: it does not answer.

    `conflict`: the policies contradict each other, so OPA answers no data.
    """

    def __init__(self, names: Names) -> None:
        self.names, self.hub, self.held, self.conflict = names, True, "token of the country", False
        guard = policy.access(TOKEN, writable=names is FRANCE)
        self.policies = {**POLICIES, "/etc/dive/access.rego": guard}
        rules = {"authz": {"allow": False}, "checks": {"mfa": {"pass": True}}}
        self.data: dict[str, Any] = {"dive": {"coi": FEED, **rules}}

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == policy.BUNDLE:
            if not self.hub:
                raise httpx.ConnectError("refused")
            assert request.headers["authorization"] == f"Bearer {self.held}"
            return httpx.Response(200, content=bundle({**POLICIES, "data.json": json.dumps({"dive": {"coi": FEED}})}))
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        if request.url.path == "/v1/policies":
            return httpx.Response(200, json={"result": [_module(*one) for one in self.policies.items()]})
        if self.conflict:
            return httpx.Response(500, json={"code": "internal_error"})
        return httpx.Response(200, json={"result": self.data})

    def read_file(self, name: str, path: str) -> str:
        assert (name, path) == (
            (self.names.container("opal-client"), "/etc/dive/opal-token")
            if self.names is FRANCE
            else (self.names.container("opa"), "/etc/dive/hub-token")
        )
        return f"{self.held}\n"

    def off(self) -> dict[str, Finding]:
        return {f.check: f for f in policy_engine.distribution(self.names, TOKEN, "CA") if f.verdict != "valid"}


def _module(path: str, text: str) -> dict[str, Any]:
    package = text.split("\n")[0].removeprefix("package ").split(".")
    defined = "pass" if "checks" in package else "allow"
    terms = [{"value": "data"}, *({"value": part} for part in package)]
    name = path if path.startswith("/etc") else f"dive/{path}"  # as the hub's bundle names it
    return {"id": name, "raw": text, "ast": {"package": {"path": terms}, "rules": [{"head": {"name": defined}}]}}


@pytest.fixture(params=[FRANCE, USA], ids=["spoke", "hub"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(request.param)
    monkeypatch.setattr(https, "client", lambda *_: httpx.Client(transport=httpx.MockTransport(made.answer)))
    monkeypatch.setattr(objects, "connect", lambda: made)
    monkeypatch.setattr(policy_engine, "_FOLLOWS", 0)
    return made


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
    (lambda w: w.policies.update({"/etc/dive/access.rego": "package x"}), "POLICIES", "etc/dive/access.rego changed"),
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
    world.hub = False
    off = world.off()
    assert off[policy_engine.POLICIES].verdict == "invalid"  # these two are not this checkout's
    assert off[policy_engine.DATA].verdict == "unknown"
    assert str(off[policy_engine.POLICIES].remedy) == "pulumi up -s usa (the hub distributes again)"
    world.policies |= policy.policies()
    assert set(world.off()) == {policy_engine.DATA}


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
