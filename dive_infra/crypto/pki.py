"""The coalition's certificates: a root at the hub, an issuer for each country limited to its names, and leaves."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LONGEST_COMMON_NAME = 64  # characters (RFC 5280, ub-common-name)
_SKEW = timedelta(minutes=5)  # clocks of the coalition's hosts may differ a little


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, both PEM; `chain` is the certificate followed by its issuers without the root."""

    chain: str
    key: str


@dataclass(frozen=True)
class Issuer:
    """The signer: `chain` and `key` as in `Issued`. A root signs itself and has no issuer."""

    chain: str
    key: str


def rsa_key(bits: int = 2048) -> str:
    """Return a new RSA private key, PEM (PKCS #8)."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def public_key(private: str) -> str:
    """Return the public half of a private key, both PEM."""
    key = serialization.load_pem_private_key(private.encode(), None)
    found = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


def is_rsa_key(private: str, bits: int = 2048) -> bool:
    """Return True for an RSA private key (PEM, without a passphrase) of at least `bits` bits."""
    try:
        key = serialization.load_pem_private_key(private.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= bits


def issue(
    name: str, days: int, issuer: Issuer | None = None, names: Sequence[str] = (), authority: bool = False
) -> Issued:
    """Create a certificate for `name`, valid for `days`.

    A leaf is valid for `names` (DNS names and IP addresses), as server and as client. An authority below the root may
    sign leaves for `names` and what is below them, and nothing else: no other name and no authority (RFC 5280, name
    constraints and path length).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    # Clients read the alternative names; the subject is for people, and X.509 limits it to 64 characters.
    common = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= _LONGEST_COMMON_NAME else []
    subject = x509.Name([*common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "DIVE")])
    signer: CertificateIssuerPrivateKeyTypes = key
    issued_by = subject
    if issuer:
        loaded = serialization.load_pem_private_key(issuer.key.encode(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # made above
        signer = loaded
        issued_by = leaf(issuer.chain).subject
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(_constraints(authority, issuer), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(authority), critical=True)
    )
    alternatives = [_general_name(n) for n in names]
    if authority and alternatives:
        builder = builder.add_extension(x509.NameConstraints(alternatives, None), critical=True)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(both, critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    chain = certificate.public_bytes(serialization.Encoding.PEM).decode()
    if issuer and not _is_root(issuer.chain):
        chain += issuer.chain
    return Issued(chain, _pem(key))


def leaf(chain: str) -> x509.Certificate:
    """Return the first certificate of a PEM chain; raises ValueError without one."""
    return x509.load_pem_x509_certificate(chain.encode())


def covered(chain: str) -> set[str]:
    """Return the DNS names and IP addresses that the first certificate of the chain is valid for."""
    try:
        names = leaf(chain).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def days_left(chain: str) -> float:
    """Return the days until the first certificate of the chain ends; negative if it has ended."""
    return (leaf(chain).not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def _is_root(chain: str) -> bool:
    certificate = leaf(chain)
    return certificate.issuer == certificate.subject


def _constraints(authority: bool, issuer: Issuer | None) -> x509.BasicConstraints:
    """Return how many authorities may follow: one after the root, none after another."""
    return x509.BasicConstraints(ca=authority, path_length=(0 if issuer else 1) if authority else None)


def _general_name(name: str) -> x509.GeneralName:
    try:
        # As a constraint an address must be a network.
        return x509.IPAddress(ipaddress.ip_network(name) if "/" in name else ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
