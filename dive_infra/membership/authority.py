"""A country's CA: the request for its certificate, the certificate that the coalition gives it, and both checks."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dive_infra.config.naming import signable
from dive_infra.crypto import pki
from dive_infra.membership.refusals import BadCertificate, OtherCountry, Source


def name_of(code: str) -> str:
    """Return the name of a country's CA: `DIVE FRA`."""
    return f"DIVE {code}"


def signing_request(code: str, private: str) -> str:
    """Return the request (PEM) for the certificate of a country's CA, signed with its key (PEM)."""
    return pki.signing_request(name_of(code), private)


def certificate_for(request: str, code: str, zone: str, days: int, coalition: pki.Issuer, address: str = "") -> str:
    """Return a CA certificate (PEM) of the coalition for a checked signing request.

    It may sign for names below `zone` and for `address` alone.
    """
    return pki.issue_for(request, name_of(code), signable(zone, address), days, coalition)


def public_der(key: CertificatePublicKeyTypes) -> bytes:
    """Return a public key as DER (SubjectPublicKeyInfo), to compare and to hash."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_signing_request(request: str, code: str, source: Source) -> None:
    """Check that `request` is a signing request for the CA of `code`, by the holder of a P-256 key.

    Raises `BadCertificate`, or `OtherCountry` for another subject.
    """
    try:
        found = x509.load_pem_x509_csr(request.encode())
        exact = found.public_bytes(Encoding.PEM).decode() == request
        key = found.public_key()
        proven = found.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadCertificate(
            f"{source.name}: the signing request cannot be read", source.remedy, expected="one PKCS #10 request in PEM"
        ) from None
    if not exact:
        raise BadCertificate(
            f"{source.name}: the signing request has text around it", source.remedy, expected="the request alone, PEM"
        )
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        kind = type(key).__name__
        raise BadCertificate(f"{source.name}: the CA's key is of the kind {kind}", source.remedy, expected="EC P-256")
    if not proven:
        raise BadCertificate(
            f"{source.name}: the signing request is not signed with the CA's key",
            source.remedy,
            expected="a proof that the country holds the key",
        )
    if found.subject != pki.subject_of(name_of(code)):
        subject = found.subject.rfc4514_string()
        raise OtherCountry(
            f"{source.name}: the signing request is for {subject!a}", source.remedy, expected=f"the CA of {code}"
        )


def check_coalition_ca(certificate: str, source: Source) -> None:
    """Raise `BadCertificate` unless `certificate` is the PEM of one CA certificate."""
    if not _constraints(_loaded(certificate, source)).ca:
        raise BadCertificate(f"{source.name}: an authority is no CA", source.remedy, expected="a CA certificate")


def check_certificate(
    certificate: str, code: str, zone: str, coalition: Sequence[str], source: Source, address: str = ""
) -> None:
    """Check that one of `coalition` has signed a country's CA certificate, limited to `zone` and `address`.

    All certificates are PEM. Raises `BadCertificate`.
    """
    found, wanted = _loaded(certificate, source), signable(zone, address)
    flaw = _flaw(found, wanted)
    if not flaw and not any(_signed_by(found, _loaded(authority, source)) for authority in coalition):
        flaw = "is not signed by the coalition's CA"
    if flaw:
        raise BadCertificate(
            f"{source.name}: the CA certificate of {code} {flaw}",
            source.remedy,
            expected=f"a CA for {' and '.join(wanted)} alone, signed by the coalition",
        )


def issuer_of(certificate: str, coalition: Sequence[str]) -> str:
    """Return which of `coalition` has signed a country's CA certificate, which was checked; all are PEM."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    return next(ca for ca in coalition if _signed_by(found, x509.load_pem_x509_certificate(ca.encode())))


def _flaw(certificate: x509.Certificate, signs: Sequence[str]) -> str:
    """Return what a CA for the names `signs` may do too much, as words that follow its name; empty if nothing."""
    basic = _constraints(certificate)
    if not basic.ca:
        return "is no CA certificate"
    if basic.path_length != 0:
        return "may sign further authorities"
    try:
        names = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return "is limited to no names"
    if not names.critical:
        return "is limited to names that a verifier may ignore"
    wanted = pki.limits(signs)
    if names.value.permitted_subtrees != wanted.permitted_subtrees:
        return f"is for {', '.join(str(name.value) for name in names.value.permitted_subtrees or []) or 'no names'}"
    return "" if names.value == wanted else "excludes other names than expected"


def _loaded(certificate: str, source: Source) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        exact = found.public_bytes(Encoding.PEM).decode() == certificate
        usable = exact and len(found.extensions) > 0 and isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        usable = False
    if not usable:
        raise BadCertificate(
            f"{source.name}: a certificate cannot be used", source.remedy, expected="one with an EC key, in PEM"
        )
    return found


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
