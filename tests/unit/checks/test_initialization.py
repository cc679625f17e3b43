"""INITIALIZATION, without an engine."""

from dataclasses import replace

import pytest

from dive_infra.checks import initialization
from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import (
    InitializationSpec,
)
from dive_infra.crypto import pki
from tests.unit.checks.specs import FRANCE, SPECS


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
