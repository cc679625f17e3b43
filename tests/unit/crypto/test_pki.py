"""A country's issuer can sign for its own names, and a verifier refuses what it signs beyond them."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names, signable
from dive_infra.crypto import pki

FRA = Names(parse("FRA"))
ROOT = pki.issue("root", 30, authority=True)
ISSUER = pki.issue("FRA", 20, pki.Issuer(ROOT.chain, ROOT.key), signable(FRA.zone), authority=True)


def test_a_text_of_two_keys_is_read_as_these_and_any_other_stays_as_it_is() -> None:
    one, other = pki.rsa_key(), pki.issue("x", 1).key
    assert pki.private_keys(f"{one.strip()}\n{other}") == [one, other]
    for text in (one, one.strip(), "a password", ""):
        assert pki.private_keys(text) == [text]


def _verify(leaf: pki.Issued, name: str) -> None:
    store = Store([pki.leaf(ROOT.chain)])
    chain = x509.load_pem_x509_certificates(leaf.chain.encode())
    PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name)).verify(chain[0], chain[1:])


def test_a_certificate_is_for_the_host_of_its_service_alone() -> None:
    leaf = pki.issue("fra", 10, pki.Issuer(ISSUER.chain, ISSUER.key), FRA.certified("keycloak"))
    assert pki.covered(leaf.chain) == {FRA.host("keycloak"), "127.0.0.1"}
    assert 9 < pki.days_left(leaf.chain) <= 10
    _verify(leaf, FRA.host("keycloak"))
    with pytest.raises(VerificationError):
        _verify(leaf, FRA.host("opa"))


def test_a_country_cannot_let_another_authority_sign() -> None:
    below = pki.issue("more", 10, pki.Issuer(ISSUER.chain, ISSUER.key), [FRA.zone], authority=True)
    leaf = pki.issue("leaf", 10, pki.Issuer(below.chain, below.key), [FRA.host("keycloak")])
    with pytest.raises(VerificationError):
        _verify(leaf, FRA.host("keycloak"))
    lengths = [
        pki.leaf(chain).extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        for chain in (ROOT.chain, ISSUER.chain, leaf.chain)
    ]
    assert lengths == [1, 0, None]


def test_a_country_cannot_sign_for_another() -> None:
    stolen = pki.issue("usa", 10, pki.Issuer(ISSUER.chain, ISSUER.key), ["idp.usa.dive.localhost"])
    with pytest.raises(VerificationError):
        _verify(stolen, "idp.usa.dive.localhost")


@pytest.mark.parametrize("length", [64, 65, 200])
def test_a_long_name_is_in_the_alternative_names_alone(length: int) -> None:
    names = Names(parse("FRA"), domain=("a" * 49 + "." + "b" * 200)[: length - 4])
    zone = names.zone
    root = pki.issue("root", 30, authority=True)
    issuer = pki.issue("FRA", 20, pki.Issuer(root.chain, root.key), signable(zone), authority=True)
    leaf = pki.issue(zone, 10, pki.Issuer(issuer.chain, issuer.key), names.certified("opa"))
    assert pki.covered(leaf.chain) == set(names.certified("opa"))
    common = pki.leaf(leaf.chain).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [c.value for c in common] == ([zone] if len(zone) <= 64 else [])


def test_an_rsa_public_key_has_one_text() -> None:
    public = pki.public_key(pki.rsa_key())
    assert pki.is_rsa_public_key(public)
    other = pki.public_key(pki.pem(ec.generate_private_key(ec.SECP256R1())))
    for wrong in ("", public.strip(), f"note\n{public}", public + public, pki.public_key(pki.rsa_key(1024)), other):
        assert not pki.is_rsa_public_key(wrong)


def test_an_authority_signs_for_its_addresses_and_for_no_others() -> None:
    found = pki.limits(["a.example", "10.0.0.1"])
    assert [str(name.value) for name in found.permitted_subtrees or []] == ["a.example", "10.0.0.1/32"]
    assert not found.excluded_subtrees, "Java compares an address of IPv4 with an excluded network of IPv6, and fails"
    excluded = pki.limits(["a.example"]).excluded_subtrees or []
    assert [str(name.value) for name in excluded] == ["0.0.0.0/0", "::/0"]
