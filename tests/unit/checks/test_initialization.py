"""INITIALIZATION, without an engine."""

from unittest.mock import Mock

import pytest

from dive_infra.checks import initialization, objects, runner
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import InitializationSpec
from dive_infra.config.naming import STACK_LABEL
from dive_infra.crypto import pki
from dive_infra.engines.engine import EngineObject, NetworkState
from dive_infra.results.codes import Code
from dive_infra.results.finding import Verdict
from tests.unit.checks.specs import FRANCE, USA


def test_a_foreign_container_on_the_network_is_named_and_one_of_ours_never(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [
        EngineObject("container", "t-unit-fra-x", FRANCE.labels("x", "core")),
        EngineObject("container", FRANCE.container("opa"), {}),  # recreated by hand, without its labels
    ]
    hub = EngineObject("container", "t-unit-usa-x", USA.labels("x", "core"))
    stranger = EngineObject("container", "stranger", {"dive.country": "FRA"})
    users = {FRANCE.network: [*ours, hub, stranger]}
    engine = Mock()
    engine.networks_named.side_effect = lambda name: [NetworkState(name, name, "")]
    engine.network_users.side_effect = lambda network: users[network]
    engine.disconnect_command.side_effect = lambda network, name: f"off {network} {name}"
    monkeypatch.setattr(objects, "connect", lambda: engine)
    before = (FRANCE.network, FRANCE.retired_network)  # as a state of the previous release has it
    spec = InitializationSpec(FRANCE, "fra", before, (), (), "")
    found = initialization.network_users(spec)
    assert [f.remedy.detail for f in found] == [f"off {FRANCE.network} {name}" for name in ("t-unit-usa-x", "stranger")]
    assert all(f.undeclared and f.verdict == Verdict.INVALID for f in found)
    users[FRANCE.network] = ours
    [valid] = initialization.network_users(spec)
    assert (valid.verdict, valid.found) == (Verdict.VALID, "2 containers")
    engine.networks.return_value = [EngineObject("network", FRANCE.network, {STACK_LABEL: "fra"})]
    assert initialization.networks(spec) == FRANCE.network


def _issued(days: int, *names: str) -> str:
    issuer = pki.issue("test", 100, authority=True)
    return pki.issue("leaf", days, pki.Issuer(issuer.chain, issuer.key), names).chain


def test_a_certificate_is_proven_by_its_name_and_days() -> None:
    wanted = {"a.fra", "127.0.0.1"}
    assert initialization.certificate(_issued(90, *wanted), wanted, 30).endswith("days left")
    for names, found in (((), "for no name"), (("b.fra",), "for b.fra"), (("a.fra", "b.fra"), "for a.fra, b.fra")):
        with pytest.raises(CheckFailed, match=found) as failed:
            initialization.certificate(_issued(90, *names), wanted, 30)
        assert failed.value.expected == "for 127.0.0.1, a.fra alone"
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.certificate(_issued(10, *wanted), wanted, 30)
    with pytest.raises(CheckFailed, match="not a certificate"):
        initialization.certificate("nonsense", wanted, 30)


def test_every_service_has_a_check_of_its_own_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "connect", Mock())
    issued = {s: _issued(90, FRANCE.host("opa")) for s in ("opa", "redis")}
    spec = InitializationSpec(FRANCE, "fra", (), (), (), "CA", issued)
    checks = [check for check in initialization.checks(spec) if check.topic == "certificates"]
    found = {f.subject: f.verdict for f in runner.run(checks, 5).findings}
    assert found == {"certificate of opa": Verdict.VALID, "certificate of redis": Verdict.INVALID}


def test_an_issuer_is_proven_by_its_days() -> None:
    assert initialization.issuer(pki.issue("issuer", 90, authority=True).chain, 30).endswith("days left")
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.issuer(pki.issue("issuer", 10, authority=True).chain, 30)


def _root(days: int) -> str:
    return pki.issue("root", days, authority=True).chain


def test_a_coalition_ca_that_ends_within_a_year_is_pointed_out_with_the_verb_that_replaces_it() -> None:
    spec = InitializationSpec(FRANCE, "fra", (), (), (), _root(300))
    [check] = [check for check in initialization.checks(spec) if check.topic == "coalition CA"]
    [found] = runner.run([check], 5).findings
    assert (found.verdict, found.advisory, found.code) == (Verdict.INVALID, True, Code.CERTIFICATE)
    assert found.remedy.command("FRA") == "at the hub: ./dive rotate-ca --begin"
    assert found.found == "ends in 300 days"
    assert initialization.coalition_ca(_root(3650)).endswith("days left")
    assert initialization.coalition_ca(_root(300) + _root(3650)) == initialization.coalition_ca(_root(3650))
    with pytest.raises(CheckFailed, match="not a certificate"):
        initialization.coalition_ca("CA")
