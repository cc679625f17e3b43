"""INITIALIZATION, without an engine."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from dive_infra.checks import initialization, objects
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import (
    InitializationSpec,
)
from dive_infra.crypto import pki
from dive_infra.engines.engine import EngineObject, NetworkState
from dive_infra.results.finding import Verdict
from tests.unit.checks.specs import FRANCE, SPECS, USA


def test_a_foreign_container_on_a_network_is_named_and_one_of_ours_never(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [
        EngineObject("container", "t-unit-fra-x", FRANCE.labels("x", "core")),
        EngineObject("container", FRANCE.container("opa"), {}),  # recreated by hand, without its labels
    ]
    hub = EngineObject("container", "t-unit-usa-x", USA.labels("x", "core"))
    stranger = EngineObject("container", "stranger", {"dive.country": "FRA"})
    users = {FRANCE.network: [*ours, hub, stranger], FRANCE.shared_network: [*ours, hub]}
    engine = Mock()
    engine.networks_named.side_effect = lambda name: [NetworkState(name, name, "")]
    engine.network_users.side_effect = lambda network: users[network]
    engine.disconnect_command.side_effect = lambda network, name: f"off {network} {name}"
    monkeypatch.setattr(objects, "connect", lambda: engine)
    spec = InitializationSpec(FRANCE, "fra", (*users,), (), (), "", (), "")
    found = initialization.network_users(spec)
    assert [f.remedy.detail for f in found] == [f"off {FRANCE.network} {name}" for name in ("t-unit-usa-x", "stranger")]
    assert all(f.undeclared and f.verdict == Verdict.INVALID for f in found)
    users[FRANCE.network] = ours
    [valid] = initialization.network_users(spec)
    assert (valid.verdict, valid.found) == (Verdict.VALID, "5 containers")


def _certified(days: int, *names: str) -> InitializationSpec:
    issuer = pki.issue("test", 100, authority=True)
    made = pki.issue("leaf", days, pki.Issuer(issuer.chain, issuer.key), names)
    return InitializationSpec(FRANCE, "fra", (), (), (), made.chain, ("a.fra", "127.0.0.1"), issuer.chain)


def test_a_certificate_is_proven_by_its_names_and_days() -> None:
    assert initialization.certificate(_certified(90, "a.fra", "127.0.0.1")).startswith("2 names")
    with pytest.raises(CheckFailed, match=r"127.0.0.1 not covered"):
        initialization.certificate(_certified(90, "a.fra"))
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.certificate(_certified(10, "a.fra", "127.0.0.1"))
    with pytest.raises(CheckFailed, match="not a certificate"):
        initialization.certificate(replace(SPECS[1], certificate="nonsense"))  # type: ignore[type-var]


def test_an_issuer_is_proven_by_its_days() -> None:
    assert initialization.issuer(pki.issue("issuer", 90, authority=True).chain, 30).endswith("days left")
    with pytest.raises(CheckFailed, match=r"ends in (9|10)\.\d days"):
        initialization.issuer(pki.issue("issuer", 10, authority=True).chain, 30)
