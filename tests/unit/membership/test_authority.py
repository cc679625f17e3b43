"""A country's CA: what it requests, what the coalition signs, and what every member checks."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names, signable
from dive_infra.crypto import pki
from dive_infra.membership import authority
from dive_infra.membership.refusals import BadCertificate, OtherCountry, Source
from dive_infra.results.remedy import Remedy
from tests.unit.membership.example import AUTHORITY, COALITION_CA, ROOT

SOURCE = Source("members/fra.json", Remedy.decide("get it again"))
ZONE = "fra.dive.localhost"
REQUEST = authority.signing_request("FRA", AUTHORITY)
CERTIFICATE = authority.certificate_for(REQUEST, "FRA", ZONE, 20, COALITION_CA)
ISSUER = pki.Issuer(CERTIFICATE, AUTHORITY)


def check(certificate: str, *coalition: str) -> None:
    authority.check_certificate(certificate, "FRA", ZONE, coalition or (ROOT.chain,), SOURCE)


def signed_by(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, common: str = "DIVE FRA") -> str:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "DIVE")]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def issued(*extensions: tuple[x509.ExtensionType, bool], key: ed25519.Ed25519PrivateKey | None = None) -> str:
    """Return a certificate that the coalition's CA signed, with these extensions: (extension, critical)."""
    now = datetime.now(UTC)
    root = pki.leaf(ROOT.chain)
    public = key.public_key() if key else x509.load_pem_x509_csr(REQUEST.encode()).public_key()
    builder = x509.CertificateBuilder().subject_name(pki.subject_of("DIVE FRA")).issuer_name(root.subject)
    builder = builder.public_key(public).serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(1))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = serialization.load_pem_private_key(ROOT.key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CA = (x509.BasicConstraints(ca=True, path_length=0), True)
LIMITED = (pki.limits(signable(ZONE)), True)
LOOPBACK_ONLY = pki.limits(["127.0.0.1"]).permitted_subtrees or []
NO_ADDRESS = pki.limits([ZONE]).excluded_subtrees


def limited(*names: str) -> tuple[x509.NameConstraints, bool]:
    return pki.limits(names), True


def test_a_request_of_the_country_is_accepted() -> None:
    authority.check_signing_request(REQUEST, "FRA", SOURCE)


def test_a_request_for_another_country_is_refused() -> None:
    with pytest.raises(OtherCountry) as refused:
        authority.check_signing_request(REQUEST, "GBR", SOURCE)
    found = "members/fra.json: the signing request is for 'O=DIVE,CN=DIVE FRA'"
    assert str(refused.value) == f"{found}; expected the CA of GBR; next: get it again"


def test_a_subject_with_look_alike_letters_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(OtherCountry, match=r"DIVE FR\\u0410"):
        authority.check_signing_request(signed_by(key, "DIVE FR\N{CYRILLIC CAPITAL LETTER A}"), "FRA", SOURCE)


def test_a_request_that_the_keys_holder_did_not_sign_is_refused() -> None:
    """Another country's public key, with which the country could claim certificates that it cannot use."""
    other = x509.load_pem_x509_csr(signed_by(ec.generate_private_key(ec.SECP256R1())).encode())
    stolen = other.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own = x509.load_pem_x509_csr(REQUEST.encode())
    mine = authority.public_der(own.public_key())
    der = own.public_bytes(serialization.Encoding.DER).replace(mine, stolen)
    forged = x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(BadCertificate, match="is not signed with the CA's key; expected a proof"):
        authority.check_signing_request(forged, "FRA", SOURCE)


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("", "the signing request cannot be read; expected one PKCS #10 request in PEM"),
        (ROOT.chain, "the signing request cannot be read"),
        (f"note\n{REQUEST}", "the signing request has text around it; expected the request alone"),
        (REQUEST + REQUEST, "the signing request has text around it"),
        (signed_by(rsa.generate_private_key(65537, 2048)), "the CA's key is of the kind RSAPublicKey; expected EC"),
        (signed_by(ec.generate_private_key(ec.SECP384R1())), "the CA's key is of the kind ECPublicKey"),
    ],
    ids=["empty", "certificate", "text", "two", "rsa", "p384"],
)
def test_what_is_no_request_for_a_p_256_key_is_refused(request_: str, found: str) -> None:
    with pytest.raises(BadCertificate) as refused:
        authority.check_signing_request(request_, "FRA", SOURCE)
    assert str(refused.value).startswith(f"members/fra.json: {found}")


def test_the_coalition_signs_a_ca_that_every_member_accepts() -> None:
    check(CERTIFICATE)
    certificate = pki.leaf(CERTIFICATE)
    requested = x509.load_pem_x509_csr(REQUEST.encode())
    assert authority.public_der(certificate.public_key()) == authority.public_der(requested.public_key())
    assert certificate.subject == pki.subject_of("DIVE FRA")
    assert 19 < pki.days_left(CERTIFICATE) <= 20


def test_during_a_rotation_either_ca_may_have_signed() -> None:
    fresh = pki.issue("DIVE coalition", 30, authority=True)
    check(CERTIFICATE, fresh.chain, ROOT.chain)
    with pytest.raises(BadCertificate) as refused:
        check(CERTIFICATE, fresh.chain)
    found = "members/fra.json: the CA certificate of FRA is not signed by the coalition's CA"
    expected = f"a CA for {ZONE} and 127.0.0.1/32 alone, signed by the coalition"
    assert str(refused.value) == f"{found}; expected {expected}; next: get it again"


@pytest.mark.parametrize(
    ("certificate", "found"),
    [
        (issued((x509.BasicConstraints(ca=False, path_length=None), True), LIMITED), "is no CA certificate"),
        (issued((x509.BasicConstraints(ca=True, path_length=None), True), LIMITED), "may sign further authorities"),
        (issued((x509.BasicConstraints(ca=True, path_length=1), True), LIMITED), "may sign further authorities"),
        (issued(CA), "is limited to no names"),
        (issued(CA, (LIMITED[0], False)), "is limited to names that a verifier may ignore"),
        (issued(CA, limited("dive.localhost", "127.0.0.1")), "is for dive.localhost, 127.0.0.1/32"),
        (issued(CA, limited(ZONE, "usa", "127.0.0.1")), "is for fra.dive.localhost, usa, 127.0.0.1/32"),
        (issued(CA, limited(ZONE, "127.0.0.0/8")), "is for fra.dive.localhost, 127.0.0.0/8"),
        (issued(CA, limited(ZONE, "127.0.0.1", "::1")), "is for fra.dive.localhost, 127.0.0.1/32, ::1/128"),
        (issued(CA, limited(ZONE)), "is for fra.dive.localhost"),
        (issued(CA, (x509.NameConstraints(None, NO_ADDRESS), True)), "is for no names"),
        (
            issued(CA, (x509.NameConstraints([x509.DNSName(ZONE), *LOOPBACK_ONLY], NO_ADDRESS), True)),
            "excludes other names than expected",
        ),
    ],
)
def test_a_certificate_that_may_do_more_is_refused(certificate: str, found: str) -> None:
    with pytest.raises(BadCertificate, match=f"the CA certificate of FRA {found}; expected"):
        check(certificate)


@pytest.mark.parametrize(
    "certificate",
    [
        "",
        "no PEM",
        CERTIFICATE + CERTIFICATE,
        f"note\n{CERTIFICATE}",
        issued(),
        REQUEST,
        issued(CA, LIMITED, key=ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["empty", "text", "two", "note", "without extensions", "request", "other key"],
)
def test_what_is_not_one_certificate_is_refused(certificate: str) -> None:
    with pytest.raises(BadCertificate, match=r"a certificate cannot be used; expected one with an EC key, in PEM"):
        check(certificate)


def test_an_authority_of_the_coalition_is_a_ca() -> None:
    authority.check_coalition_ca(ROOT.chain, SOURCE)
    leaf = pki.issue("idp", 10, ISSUER, [f"idp.{ZONE}"]).chain.partition("-----END CERTIFICATE-----\n")
    with pytest.raises(BadCertificate, match="an authority is no CA; expected a CA certificate"):
        authority.check_coalition_ca(leaf[0] + leaf[1], SOURCE)


@pytest.mark.parametrize(
    ("zone", "name", "accepted"),
    [
        (ZONE, f"idp.{ZONE}", True),
        (ZONE, "127.0.0.1", True),
        (ZONE, "127.0.0.2", False),
        (ZONE, "10.0.0.1", False),
        (ZONE, "::1", False),
        (ZONE, "idp.usa.dive.localhost", False),
        ("fra.example.org", "idp.fra.example.org", True),
        ("fra.example.org", "127.0.0.1", True),
        ("fra.example.org", "10.0.0.1", False),
        ("fra.example.org", "::1", False),
        ("fra.example.org", "idp.fra.dive.localhost", False),
    ],
)
def test_a_verifier_accepts_names_of_the_zone_and_loopback(zone: str, name: str, accepted: bool) -> None:
    certificate = authority.certificate_for(REQUEST, "FRA", zone, 20, COALITION_CA)
    authority.check_certificate(certificate, "FRA", zone, (ROOT.chain,), SOURCE)
    made = pki.issue("leaf", 10, pki.Issuer(certificate, AUTHORITY), [f"idp.{zone}", name])
    chain = x509.load_pem_x509_certificates(made.chain.encode())
    verifier = PolicyBuilder().store(Store([pki.leaf(ROOT.chain)])).build_server_verifier(x509.DNSName(f"idp.{zone}"))
    if accepted:
        verifier.verify(chain[0], chain[1:])
    else:
        with pytest.raises(VerificationError):
            verifier.verify(chain[0], chain[1:])


def test_a_ca_is_for_the_countrys_address_alone() -> None:
    certificate = authority.certificate_for(REQUEST, "FRA", ZONE, 20, COALITION_CA, "192.0.2.7")
    authority.check_certificate(certificate, "FRA", ZONE, (ROOT.chain,), SOURCE, "192.0.2.7")
    for address in ("", "192.0.2.8"):
        with pytest.raises(BadCertificate, match=r"is for fra\.dive\.localhost, 192\.0\.2\.7/32; expected"):
            authority.check_certificate(certificate, "FRA", ZONE, (ROOT.chain,), SOURCE, address)
    verifier = PolicyBuilder().store(Store([pki.leaf(ROOT.chain)])).build_server_verifier(x509.DNSName(f"idp.{ZONE}"))
    for address, accepted in (("192.0.2.7", True), ("127.0.0.1", False)):
        made = pki.issue("leaf", 10, pki.Issuer(certificate, AUTHORITY), [f"idp.{ZONE}", address])
        chain = x509.load_pem_x509_certificates(made.chain.encode())
        if accepted:
            verifier.verify(chain[0], chain[1:])
        else:
            with pytest.raises(VerificationError):
                verifier.verify(chain[0], chain[1:])


@pytest.mark.parametrize("zone", [ZONE, "fra.example.org"])
def test_the_certificates_of_a_country_are_what_its_ca_may_sign(zone: str) -> None:
    names = Names(parse("FRA"), domain=zone.removeprefix("fra."))
    certificate = authority.certificate_for(REQUEST, "FRA", zone, 20, COALITION_CA)
    made = pki.issue("opa", 10, pki.Issuer(certificate, AUTHORITY), names.certified("opa"))
    chain = x509.load_pem_x509_certificates(made.chain.encode())
    verifier = PolicyBuilder().store(Store([pki.leaf(ROOT.chain)]))
    verifier.build_server_verifier(x509.DNSName(names.host("opa"))).verify(chain[0], chain[1:])


def test_a_verifier_accepts_no_further_authority() -> None:
    further = pki.issue("further", 10, ISSUER, [ZONE], authority=True)
    made = pki.issue("leaf", 10, pki.Issuer(further.chain, further.key), [f"idp.{ZONE}"])
    chain = x509.load_pem_x509_certificates(made.chain.encode())
    verifier = PolicyBuilder().store(Store([pki.leaf(ROOT.chain)])).build_server_verifier(x509.DNSName(f"idp.{ZONE}"))
    with pytest.raises(VerificationError):
        verifier.verify(chain[0], chain[1:])
