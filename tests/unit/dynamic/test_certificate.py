"""Certificates are renewed before they end, except for a root: whoever trusts it would refuse another."""

from dive_infra.crypto import pki
from dive_infra.dynamic.certificate import CertificateProvider

PROVIDER = CertificateProvider()
ROOT = pki.issue("root", 30, authority=True)


def test_a_leaf_is_renewed_in_time_and_a_root_never_by_itself() -> None:
    leaf = pki.issue("leaf", 30, pki.Issuer(ROOT.chain, ROOT.key), ["opa.fra"])
    issued = {"chain": leaf.chain, "issuer_chain": ROOT.chain}
    assert "renewed 60 days before" in str(PROVIDER.drift_reason(issued))
    assert PROVIDER.drift_reason({"chain": ROOT.chain, "issuer_chain": None}) is None
    assert PROVIDER.drift_reason({"chain": ROOT.chain}) is None
