"""A country's request to join: `members/fra.json`, public and signed by the country's deployer."""

from cryptography import x509

from dive_infra.config.naming import Names
from dive_infra.membership import authority, keys, signed
from dive_infra.membership.fields import Address, Endpoints, Moment, Part, PolicyKey, PublicKey, Zone, parsed
from dive_infra.membership.refusals import OtherCountry, Source
from dive_infra.membership.signed import Format
from dive_infra.membership.zone import checked_names, country_of
from dive_infra.results.remedy import Remedy

_REMEDY = Remedy.decide(
    "get the file from the country again, byte for byte",
    "ask the country for a new request and compare its fingerprint",
)


class Request(Part):
    """What a country says about itself.

    `endpoints` maps services to their URLs, which are published at `address` (IPv4; empty, on loopback), and
    `signing_request` is a PKCS #10 request (PEM) for the country's CA. `deployer_key` verifies what the country signs,
    texts are sealed to `sealing_key`, and `policy_key` (PEM) verifies the tokens by which it asks the hub for policies;
    the hub's own verifies the policies that it distributes.
    """

    country: str
    zone: Zone
    endpoints: Endpoints
    signing_request: str
    deployer_key: PublicKey
    sealing_key: PublicKey
    policy_key: PolicyKey
    created: Moment
    address: Address = ""


def file_name(code: str) -> str:
    """Return the name of a country's request: `fra.json`."""
    return f"{code.lower()}.json"


def sign(request: Request, deployer: str) -> bytes:
    """Return the content of the request's file, signed with the deployer's key, or with both of two (PEM).

    Raises what `read` raises: no one can write a request that is refused later.
    """
    content = signed.sign(Format.REQUEST, request.plain(), deployer)
    read(content, file_name(request.country))
    return content


def read(content: bytes, name: str) -> Request:
    """Return the request in the file `name` (`fra.json`), whose every rule is checked.

    That it is from the country at all, only people know: they compare its `fingerprint`. Raises a `MembershipError`:
    `Malformed`, `BadSignature`, `UnknownMember`, `OtherCountry`, `OutsideZone` or `BadCertificate`.
    """
    source = Source(f"members/{name}", _REMEDY)
    envelope = signed.read(content, Format.REQUEST, source)
    request = parsed(Request, envelope.payload, source)
    signed.check(envelope, request.deployer_key, "the deployer key in it", source)
    country = country_of(request.country, source)
    if name != file_name(country.code):
        raise OtherCountry(
            f"{source.name} is the request of {country.code}", source.remedy, expected=file_name(country.code)
        )
    checked_names(country, request.zone, request.endpoints, source)
    authority.check_signing_request(request.signing_request, country.code, source)
    return request


def is_signed_by(content: bytes, deployer: str) -> bool:
    """Return True if the deployer with this public key (base64) has signed the request; raises `Malformed`."""
    return signed.is_signed_by(signed.read(content, Format.REQUEST, Source("the request", _REMEDY)), deployer)


def fingerprint(request: Request) -> str:
    """Return what two people compare aloud, as `keys.fingerprint`.

    It stays the same as long as the country's keys do: a later request with other endpoints is signed by the deployer
    that was compared.
    """
    return keys.fingerprint(request.country, authority_key(request), request.deployer_key, request.sealing_key)


def names_in(request: Request, namespace: str) -> Names:
    """Return the names of a country as its request has them, in the coalition `namespace`."""
    source = Source(f"members/{file_name(request.country)}", _REMEDY)
    country = country_of(request.country, source)
    return checked_names(country, request.zone, request.endpoints, source, namespace, request.address)


def authority_key(request: Request) -> bytes:
    """Return the public key of the country's CA (DER)."""
    return authority.public_der(x509.load_pem_x509_csr(request.signing_request.encode()).public_key())
