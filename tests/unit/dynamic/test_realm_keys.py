"""Which keys a run records: those that it has had created, and those that it was asked to accept."""

from typing import Any

import pytest

from dive_infra.checks.runner import Validation
from dive_infra.checks.spec import ConfigurationSpec, dump
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import Names
from dive_infra.dynamic import realm_keys, realm_probe
from dive_infra.dynamic.base import Provider
from dive_infra.dynamic.realm_keys import RealmKeysProvider
from dive_infra.dynamic.realm_probe import RealmProbeProvider
from dive_infra.dynamic.runtime.context import RunContext
from dive_infra.results.finding import Finding, Verdict
from tests.support.key_server import KeyServer

FRA = Names(COUNTRIES["FRA"], "t-unit")
INPUTS = {
    "country": "FRA",
    "namespace": "t-unit",
    "access": {"url": "https://localhost", "ca": "", "client_secret": "secret"},
}
SPEC = ConfigurationSpec(FRA, (FRA.of(COUNTRIES["USA"]),), "CA", "secret", "secret", {})
Json = dict[str, Any]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> KeyServer:
    there = KeyServer(FRA)
    monkeypatch.setattr(Provider, "run", RunContext())
    monkeypatch.setattr(realm_keys, "KeycloakAdmin", lambda access, timeout=0.0: there)
    monkeypatch.setattr(realm_probe, "KeycloakAdmin", lambda access, timeout=0.0: there)
    monkeypatch.setattr(realm_probe, "live", lambda admin, names: there.live)
    return there


def created() -> Json:
    return {**INPUTS, **RealmKeysProvider().create_resource(INPUTS)[1]}


def updated(before: Json) -> Json:
    return {**INPUTS, **RealmKeysProvider().update_resource(INPUTS, before)}


def kids(outputs: Json, realm: str = FRA.realm) -> dict[str, str]:
    return {key["provider"]: key["kid"] for key in outputs["recorded"][realm]}


def live(server: KeyServer, realm: str = FRA.realm) -> dict[str, str]:
    return {c["name"]: c["key"]["kid"] for c in server.providers[realm]}


def test_the_keys_of_both_realms_are_recorded_at_first(server: KeyServer) -> None:
    found = created()
    assert kids(found) == live(server)
    assert kids(found, "master") == live(server, "master")
    assert RealmKeysProvider().drift_reason(found) is None


def test_foreign_keys_are_recorded_only_if_the_run_accepts_them(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = created()
    foreign = server.replace(FRA.realm, "rsa-generated")
    also = server.replace("master", "rsa-generated")
    assert RealmKeysProvider().drift_reason(before) is None
    assert updated(before)["recorded"] == before["recorded"], "an update for another reason keeps the record"
    monkeypatch.setenv("DIVE_ACCEPT_KEYS", FRA.realm)
    assert RealmKeysProvider().drift_reason(before) == f"DIVE_ACCEPT_KEYS accepts the keys of {FRA.realm}"
    after = updated(before)
    assert kids(after) == live(server)
    assert also not in kids(after, "master").values()
    assert f"realm {FRA.realm}: recorded the keys {foreign}\n" in capsys.readouterr().out
    assert RealmKeysProvider().drift_reason(after) is None


def test_what_a_run_creates_again_is_recorded_again_also_after_it_was_killed(server: KeyServer) -> None:
    before, probe = created(), {"realm": FRA.realm, "spec": "unreadable", "incarnations": {}}
    gone = next(c for c in server.providers[FRA.realm] if c["name"] == "rsa-generated")
    server.providers[FRA.realm].remove(gone)
    probe |= seen(probe)
    assert probe["incarnations"] == {f"{FRA.realm}/rsa-generated": 1}
    reason = f"{FRA.realm}/rsa-generated: created again, with new keys"
    assert RealmKeysProvider().drift_reason(before) == reason, "as a preview announces it"
    server.post(f"/realms/{FRA.realm}/components", gone)
    Provider.run = RunContext()  # the run was killed before it recorded the key; another one continues
    probe |= seen(probe)
    assert RealmKeysProvider().drift_reason(before) == reason
    after = updated(before)
    assert kids(after) == live(server)
    assert after["recorded"]["master"] == before["recorded"]["master"]
    assert RealmKeysProvider().drift_reason(after) is None
    Provider.run = RunContext()
    server.replace(FRA.realm, "rsa-generated")
    seen(probe)
    assert RealmKeysProvider().drift_reason(after) is None, "a key that someone replaced later is not ours"


def test_a_realm_that_is_created_again_has_new_keys_of_all_providers(server: KeyServer) -> None:
    before = created()
    providers = server.providers.pop(FRA.realm)
    seen({"realm": FRA.realm})
    server.providers[FRA.realm] = providers
    for name in live(server):
        server.replace(FRA.realm, name)
    assert kids(updated(before)) == live(server)


def seen(probe: Json) -> Json:
    """Have the probe of the realm look; return the outputs of its update, if it needs one."""
    provider = RealmProbeProvider()
    provider.run.key_incarnations.update(probe.get("incarnations", {}))
    before = dict(provider.run.key_incarnations)
    provider._count(SPEC)
    return provider.update_resource(probe, probe) if provider.run.key_incarnations != before else {}


def test_the_probe_counts_what_is_missing_whether_it_is_diffed_by_its_inputs_or_by_the_realm(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.providers["master"].pop()
    missing = {f"master/{name}" for name in live(KeyServer(FRA), "master")} - {
        f"master/{name}" for name in live(server, "master")
    }
    before = {"realm": FRA.realm, "spec": dump(SPEC), "incarnations": dict.fromkeys(missing, 1.0)}
    valid = Validation((Finding("so", Verdict.VALID),), 0.1)
    monkeypatch.setattr(realm_probe.runner, "run", lambda *_: valid)
    for now in ({"spec": "another"}, {"spec": before["spec"]}):
        Provider.run = RunContext()
        RealmProbeProvider().diff(FRA.realm, before, {"realm": FRA.realm, **now})
        assert Provider.run.key_incarnations == dict.fromkeys(missing, 2)


def test_a_probe_of_an_earlier_program_counts_nothing(server: KeyServer) -> None:
    RealmProbeProvider().diff(FRA.realm, {"realm": FRA.realm, "spec": "unreadable"}, {"realm": FRA.realm, "spec": "x"})
    assert Provider.run.key_incarnations == {}
