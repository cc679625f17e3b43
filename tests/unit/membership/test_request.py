"""A country's request: what is accepted, each refusal with its message, and the fingerprint that people compare."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.crypto import pki
from dive_infra.membership import authority, keys, request
from dive_infra.membership.refusals import (
    BadCertificate,
    BadSignature,
    Malformed,
    MembershipError,
    OtherCountry,
    OutsideZone,
    UnknownMember,
)
from dive_infra.membership.request import Request
from tests.unit.membership import example
from tests.unit.membership.example import AUTHORITY, DEPLOYER, FRA_REQUEST, NOW, POLICY, SEALING, signed_request

CONTENT = request.sign(FRA_REQUEST, DEPLOYER)
NEXT = (
    "Next, one of:\n  get the file from the country again, byte for byte"
    "\n  ask the country for a new request and compare its fingerprint"
)
OTHER: dict[str, Any] = {
    "country": "GBR",
    "zone": "fra.example.org",
    "endpoints": FRA_REQUEST.endpoints | {"keycloak": "https://idp.fra.dive.localhost:9999"},
    "signing_request": authority.signing_request("FRA", keys.new_authority_key()),
    "deployer_key": keys.public_text(keys.new_signing_key()),
    "sealing_key": keys.public_text(keys.new_signing_key()),
    "policy_key": keys.public_text(keys.new_policy_key()),
    "created": "2026-11-24T00:00:00Z",
    "address": "192.0.2.7",
}


def test_a_request_is_read_as_it_was_signed() -> None:
    assert request.read(CONTENT, "fra.json") == FRA_REQUEST
    assert request.file_name("FRA") == "fra.json"


def test_a_request_holds_no_private_part() -> None:
    assert b"PRIVATE" not in CONTENT
    for private in (DEPLOYER, AUTHORITY, SEALING, POLICY):
        secret = "".join(private.splitlines()[1:-1])
        assert secret not in CONTENT.decode().replace("\\n", "")


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, difference: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] ^= difference
    with pytest.raises(MembershipError):
        request.read(bytes(changed), "fra.json")


@pytest.mark.parametrize("field", Request.model_fields)
def test_any_changed_field_is_refused(field: str) -> None:
    """Another valid value under the old signature, such as an endpoint that changed without a new request."""
    payload = FRA_REQUEST.plain()
    assert payload.get(field) != OTHER[field]
    changed = signed_request(**{field: OTHER[field]})
    old, new = (re.search(rb'"signature": ".*"', content) for content in (CONTENT, changed))
    assert old
    assert new
    with pytest.raises(BadSignature) as refused:
        request.read(changed.replace(new[0], old[0]), "fra.json")
    found = "members/fra.json was changed after it was signed, or was signed with another key"
    assert str(refused.value).startswith(f"{found}; expected a signature by the deployer key in it (")
    assert str(refused.value).endswith(NEXT)


def test_another_countrys_request_is_refused() -> None:
    with pytest.raises(OtherCountry) as refused:
        request.read(CONTENT, "gbr.json")
    assert str(refused.value) == f"members/gbr.json is the request of FRA; expected fra.json. {NEXT}"


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"country": "FR\N{CYRILLIC CAPITAL LETTER A}"}, UnknownMember, r"country 'FR\u0410' is not known: expected"),
        ({"country": "fra"}, UnknownMember, "country 'fra' is not known: expected three capital letters"),
        ({"country": "GBR"}, OtherCountry, "is the request of GBR; expected gbr.json"),
        ({"zone": "usa.dive.localhost"}, OutsideZone, ": the zone of FRA is usa.dive.localhost; expected a zone such"),
        (
            {"endpoints": FRA_REQUEST.endpoints | {"keycloak": "https://idp.usa.dive.localhost:8443"}},
            OutsideZone,
            ": the endpoint keycloak of FRA is 'https://idp.usa.dive.localhost:8443'; expected https://idp.fra.",
        ),
        (
            {"endpoints": FRA_REQUEST.endpoints | {"keycloak": "http://idp.fra.dive.localhost:8453"}},
            OutsideZone,
            ": the endpoint keycloak of FRA is 'http://",
        ),
        (
            {"signing_request": authority.signing_request("USA", AUTHORITY)},
            OtherCountry,
            ": the signing request is for 'O=DIVE,CN=DIVE USA'; expected the CA of FRA",
        ),
        ({"signing_request": ""}, BadCertificate, ": the signing request cannot be read"),
        (
            {"endpoints": {"keycloak": FRA_REQUEST.endpoints["keycloak"]}},
            Malformed,
            ": FRA has no endpoint for frontend, backend, kas; expected keycloak, frontend, backend, kas",
        ),
        (
            {"policy_key": "AAAA"},
            Malformed,
            "\n  policy_key: AAAA is not a public key: expected RSA of at least 2048 bits",
        ),
        (
            {"policy_key": pki.public_key(pki.rsa_key(1024))},
            Malformed,
            " is not a public key: expected RSA of at least",
        ),
        ({"policy_key": pki.public_key(AUTHORITY)}, Malformed, " is not a public key: expected RSA of at least 2048"),
        ({"policy_key": FRA_REQUEST.policy_key.strip()}, Malformed, " is not a public key: expected RSA of at least"),
        ({"sealing_key": "AAAA"}, Malformed, " has 1 wrong field(s)\n  sealing_key: AAAA is not a public key"),
    ],
)
def test_what_a_deployer_must_not_sign_is_refused(
    changed: dict[str, Any], error: type[MembershipError], message: str
) -> None:
    with pytest.raises(error) as refused:
        request.read(signed_request(**changed), "fra.json")
    assert message in str(refused.value)
    assert str(refused.value).endswith(NEXT)


def test_no_one_signs_a_request_that_would_be_refused() -> None:
    with pytest.raises(OutsideZone):
        request.sign(example.request(zone="usa.dive.localhost"), DEPLOYER)
    with pytest.raises(BadSignature):
        request.sign(FRA_REQUEST, keys.new_signing_key())


def test_the_fingerprint_is_128_bits_in_groups() -> None:
    assert re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", request.fingerprint(FRA_REQUEST))


def test_the_fingerprint_names_the_country_and_its_keys() -> None:
    same = {"created": NOW, "endpoints": OTHER["endpoints"], "policy_key": OTHER["policy_key"]}
    found = {request.fingerprint(FRA_REQUEST), request.fingerprint(example.request(**same))}
    assert len(found) == 1, "as long as the keys stay, people need not compare again"
    for field in ("country", "signing_request", "deployer_key", "sealing_key"):
        found.add(request.fingerprint(FRA_REQUEST.model_copy(update={field: OTHER[field]})))
    assert len(found) == 5
