"""The coalition's certificates: a root at the hub, an issuer for each country limited to its names, and leaves."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LONGEST_COMMON_NAME = 64  # characters (RFC 5280, ub-common-name)
_RSA_BITS = 2048  # at least
# Kind of a private key -> what it is not if it is another, and what is expected.
KEYS = {
    "rsa": "an RSA private key; expected 2048 bits or more",
    "ec": "an EC private key; expected P-256",
    "ed25519": "an Ed25519 private key; expected one",
    "x25519": "an X25519 private key; expected one",
}
_PRIVATE = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_SKEW = timedelta(minutes=5)  # clocks of the coalition's hosts may differ a little
_ANY_ADDRESS = [x509.IPAddress(ipaddress.ip_network(network)) for network in ("0.0.0.0/0", "::/0")]


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


@dataclass(frozen=True)
class _CertificateSubject:
    """Whom a certificate is for: `names` are what a leaf is valid for, or what an authority may sign for."""

    name: str
    key: ec.EllipticCurvePublicKey
    names: Sequence[str]
    authority: bool


def rsa_key(bits: int = 2048) -> str:
    """Return a new RSA private key, PEM (PKCS #8)."""
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def pem(key: PrivateKeyTypes) -> str:
    """Return a private key as PEM (PKCS #8, without a passphrase)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_key(private: str) -> str:
    """Return the public half of a private key, both PEM."""
    return _public_pem(private_key(private).public_key())


@lru_cache(maxsize=64)
def private_key(private: str) -> PrivateKeyTypes:
    """Return the key of a PEM text; raise ValueError, TypeError or UnsupportedAlgorithm for another text.

    OpenSSL examines an RSA key whenever it loads it, for 50 ms of processor time.
    """
    return serialization.load_pem_private_key(private.encode(), None)


def private_keys(text: str) -> list[str]:
    """Return each private key of a PEM text as PEM, in their order; the text as it is if it holds fewer than two."""
    found = [f"{key[0]}\n" for key in _PRIVATE.finditer(text)]
    return found if len(found) > 1 else [text]


def is_key(private: str, kind: str) -> bool:
    """Return True for a private key (PEM, without a passphrase) of this kind of `KEYS`."""
    try:
        key = private_key(private)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPrivateKey):
        return kind == "rsa" and key.key_size >= _RSA_BITS
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return kind == "ec" and isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, {"ed25519": Ed25519PrivateKey, "x25519": X25519PrivateKey}.get(kind, ()))


def is_rsa_public_key(public: str, bits: int = 2048) -> bool:
    """Return True for an RSA public key of at least `bits` bits, exactly as `public_key` writes it."""
    try:
        key = serialization.load_pem_public_key(public.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, rsa.RSAPublicKey) and key.key_size >= bits and _public_pem(key) == public


def issue(
    name: str, days: int, issuer: Issuer | None = None, names: Sequence[str] = (), authority: bool = False
) -> Issued:
    """Create a certificate for `name` with a new key, valid for `days`.

    A leaf is valid for `names` (DNS names and IP addresses), as server and as client. An authority below the root may
    sign leaves for `names` and what is below them, and nothing else: no other name and no authority (RFC 5280, name
    constraints and path length).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    chain = _signed(_CertificateSubject(name, key.public_key(), names, authority), days, issuer or Issuer("", pem(key)))
    if issuer and not _is_root(issuer.chain):
        chain += issuer.chain
    return Issued(chain, pem(key))


def issue_for(request: str, name: str, names: Sequence[str], days: int, root: Issuer) -> str:
    """Create the certificate of the authority `name` for the key in its signing request; return it as PEM.

    The signer decides everything else: what the authority may sign is as in `issue`. `request` is PEM, checked before.
    """
    key = x509.load_pem_x509_csr(request.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)  # the caller has checked it
    return _signed(_CertificateSubject(name, key, names, authority=True), days, root)


def limits(names: Sequence[str]) -> x509.NameConstraints:
    """Return the constraints of an authority for `names`: DNS names and what is below them, addresses and networks.

    It may sign for no other address. Permitted addresses exclude all others; permitted DNS names exclude none.
    """
    permitted = [_subtree(name) for name in names]
    addresses = any(isinstance(name, x509.IPAddress) for name in permitted)
    # With both, Java 17 fails at a permitted address of IPv4: IPAddressName.constrains compares it with `::/0`.
    return x509.NameConstraints(permitted, None if addresses else _ANY_ADDRESS)


def signing_request(name: str, private: str) -> str:
    """Return a request (PEM) for a certificate of `name` with this key (PEM, EC), signed with it."""
    key = private_key(private)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject_of(name)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def subject_of(name: str) -> x509.Name:
    """Return the subject of a certificate for `name`."""
    # Clients read the alternative names; the subject is for people, and X.509 limits it to 64 characters.
    common = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= _LONGEST_COMMON_NAME else []
    return x509.Name([*common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "DIVE")])


def leaf(chain: str) -> x509.Certificate:
    """Return the first certificate of a PEM chain; raises ValueError without one."""
    return x509.load_pem_x509_certificate(chain.encode())


def certificates(text: str) -> list[str]:
    """Return each certificate of a PEM text as PEM, in their order; raises ValueError without one."""
    return [_pem(found) for found in x509.load_pem_x509_certificates(text.encode())]


def digest(certificate: str) -> str:
    """Return the SHA-256 of a certificate (PEM) as hexadecimal digits, which other tools call its fingerprint."""
    return leaf(certificate).fingerprint(hashes.SHA256()).hex()


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


def _constraints(authority: bool, root: bool) -> x509.BasicConstraints:
    """Return how many authorities may follow: one after the root, none after another."""
    return x509.BasicConstraints(ca=authority, path_length=int(root) if authority else None)


def _signed(subject: _CertificateSubject, days: int, issuer: Issuer) -> str:
    """Return the certificate (PEM); an issuer without a chain signs itself."""
    signer = private_key(issuer.key)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # made by `issue`
    named = subject_of(subject.name)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(leaf(issuer.chain).subject if issuer.chain else named)
        .public_key(subject.key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(_constraints(subject.authority, root=not issuer.chain), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(subject.authority), critical=True)
    )
    if subject.authority and subject.names:
        builder = builder.add_extension(limits(subject.names), critical=True)
    if not subject.authority:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in subject.names])
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(alternatives, critical=False).add_extension(both, critical=False)
    return _pem(builder.sign(signer, hashes.SHA256()))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subtree(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))  # of an address, the network of it alone
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


def _public_pem(key: PublicKeyTypes) -> str:
    found = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found.decode()
